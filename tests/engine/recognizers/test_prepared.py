import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import ExportsClosed, NothingToVerify
from engine.hub.pull import OnDownload
from engine.pipeline.transcribe import TranscriptionPipeline
from engine.recognizers.funasr_generic import GenericFunasr
from engine.recognizers.prepared import check_exports, current_decision, missing_exports, write_exports
from engine.recognizers.sensevoice import SenseVoice
from engine.runtime.cpu import cpu_flags, int8_support
from engine.runtime.export import Decision, Exports, Precision
from engine.runtime.precision import NO_SPEECH_TO_COMPARE, int8_variant
from engine.settings import EngineSettings
from engine.speech import Engine, sensevoice_loader
from tests.engine.folders import nobody_writes
from tests.engine.transcribing import text_of, transcribe

INT8: Precision = int8_variant(int8_support(cpu_flags()))
ASKING = """
import sys
from pathlib import Path
from engine.runtime import cpu
from engine.recognizers.prepared import runs_exported
from engine.settings import EngineSettings
cpu.GPU_DEVICE_FILES = ("/",)
tiny = sys.argv[1]
for asked in (EngineSettings(model="fake"), EngineSettings(model=tiny, precision="bf16"), EngineSettings(model=tiny)):
    runs_exported(Path(asked.model), asked)
    print("torch" in sys.modules)
"""

needs_a_choice = pytest.mark.skipif(int8_support(cpu_flags()) == "none", reason="this processor leaves no choice")


@pytest.fixture
def models_dir(starter_models_dir: Path, sample: Path, tmp_path: Path) -> Path:
    """Where nothing is exported yet, and what every model needs is there."""
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "fsmn-vad").symlink_to(starter_models_dir / "fsmn-vad")
    (folder / "sample").symlink_to(sample.parent)
    return folder


@pytest.fixture
def rough(shared: Path, models_dir: Path) -> EngineSettings:
    """Real weights that are known to bear no rounding."""
    return EngineSettings(model=str(shared / "models/sensevoice-charctc"), models_dir=models_dir, device="cpu")


@needs_a_choice
def test_a_model_that_bears_no_rounding_runs_in_fp32_and_says_why(rough: EngineSettings, shared: Path) -> None:
    assert current_decision(rough) is None
    told: list[str] = []
    engine = Engine.open(rough, on_download=lambda file, _done, _total: told.append(file))
    assert {"sensevoice-charctc (fp32)", f"sensevoice-charctc ({INT8})"} == set(told)
    decision = current_decision(rough)
    assert decision is not None
    assert decision.precision == "fp32"
    assert decision.agreement is not None
    assert decision.agreement < 0.99
    exports = Exports(Path(rough.model), rough.models_dir)
    assert (exports.has("fp32"), exports.has(INT8)) == (True, False)
    assert text_of(transcribe(engine, shared / "clips/zh_voice_message.ogg"))


@needs_a_choice
def test_what_was_decided_is_not_asked_again(rough: EngineSettings) -> None:
    Engine.open(rough)
    nothing: OnDownload = lambda *_: pytest.fail("something was written")  # noqa: E731
    Engine.open(rough, on_download=nothing)
    assert missing_exports(rough) == ()


@needs_a_choice
def test_without_speech_to_prove_it_with_int8_is_not_taken(
    tiny: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (models_dir / "sample").unlink()
    for name, value in {"NO_INDEX": "1", "FIND_LINKS": str(models_dir), "CONFIG_FILE": "/dev/null"}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    settings = EngineSettings(model=str(copied(tiny, models_dir)), models_dir=models_dir, device="cpu")
    Engine.open(settings)
    decision = current_decision(settings)
    assert decision is not None
    assert (decision.precision, decision.reason) == ("fp32", NO_SPEECH_TO_COMPARE)


@needs_a_choice
def test_a_models_dir_that_cannot_be_made_only_leaves_int8_unproved(tiny: Path, models_dir: Path) -> None:
    folder = copied(tiny, models_dir)
    (folder / "fsmn-vad").symlink_to(models_dir / "fsmn-vad")
    (models_dir / "file").write_bytes(b"not a folder")
    settings = EngineSettings(model=str(folder), models_dir=models_dir / "file/models", device="cpu")
    Engine.open(settings)
    decision = current_decision(settings)
    assert decision is not None
    assert decision.reason == NO_SPEECH_TO_COMPARE


@needs_a_choice
def test_the_owner_s_recordings_decide_anew(rough: EngineSettings, shared: Path, tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    (clips / "notes.txt").write_text("not a recording", encoding="utf-8")
    with pytest.raises(NothingToVerify, match="clips"):
        sensevoice_loader(rough).verify(clips)
    shutil.copy(shared / "clips/zh_voice_message.ogg", clips)
    shutil.copy(shared / "clips/en_jfk.flac", clips)
    decision = sensevoice_loader(rough).verify(clips)
    assert decision.recordings == 2
    assert current_decision(rough) == decision


def test_the_precision_that_is_set_is_the_only_one_written(tiny: Path, models_dir: Path) -> None:
    folder = copied(tiny, models_dir)
    settings = EngineSettings(model=str(folder), models_dir=models_dir, device="cpu", precision="int8")
    missing = missing_exports(settings)
    assert missing == (INT8,)
    write_exports(settings, missing, lambda *_: None)
    assert sorted(path.suffix for path in (folder / "earshot").glob("*int8*")) == [".json", ".onnx", ".weights"]
    assert not list((folder / "earshot").glob("fp32*"))
    assert isinstance(model_of(Engine.open(settings)), SenseVoice)


@needs_a_choice
def test_a_start_that_was_overtaken_writes_nothing_of_what_was_dropped(tiny: Path, models_dir: Path) -> None:
    folder = copied(tiny, models_dir)
    settings = EngineSettings(model=str(folder), models_dir=models_dir, device="cpu")
    missing = missing_exports(settings)
    assert missing == ("fp32", INT8)
    Exports(folder, models_dir).keep(INT8, Decision(precision=INT8, reason="another start has proved it"))
    write_exports(settings, missing, lambda *_: None)
    assert not list((folder / "earshot").glob("fp32*"))
    assert missing_exports(settings) == ()


def test_a_checkpoint_that_cannot_be_exported_is_left_to_funasr(tiny: Path, models_dir: Path) -> None:
    import torch  # noqa: PLC0415 - not before a test needs it

    folder = copied(tiny, models_dir)
    torch.save({"state_dict": torch.load(folder / "model.pt"), "epoch": 3}, folder / "model.pt")
    settings = EngineSettings(model=str(folder), models_dir=models_dir, device="cpu")
    write_exports(settings, missing_exports(settings), lambda *_: None)
    assert missing_exports(settings) == ()
    assert isinstance(model_of(Engine.open(settings)), GenericFunasr)


def test_where_nothing_can_be_written_torch_reads_and_the_owner_is_told_why(tiny: Path, models_dir: Path) -> None:
    folder = copied(tiny, models_dir)
    settings = EngineSettings(model=str(folder), models_dir=models_dir, device="cpu")
    with nobody_writes(folder, models_dir):
        assert isinstance(model_of(Engine.open(settings)), GenericFunasr)
        with pytest.raises(ExportsClosed, match=f"{models_dir} cannot be written to"):
            check_exports(settings)
        with pytest.raises(NothingToVerify, match=f"{models_dir} cannot be written to"):
            sensevoice_loader(settings).verify(folder)
    check_exports(settings)


@needs_a_choice
def test_what_was_prepared_in_fp32_only_is_used_where_int8_cannot_be_tried(tiny: Path, models_dir: Path) -> None:
    folder = copied(tiny, models_dir)
    Exports(folder, models_dir).network("fp32")
    settings = EngineSettings(model=str(folder), models_dir=models_dir, device="cpu")
    with nobody_writes(folder / "earshot", folder, models_dir):
        assert isinstance(model_of(Engine.open(settings)), SenseVoice)
        check_exports(settings)
        decision = current_decision(settings)
    assert decision is not None
    assert decision.precision == "fp32"
    assert f"{folder / 'earshot'} cannot be written to" in decision.reason


def test_only_a_model_that_could_be_prepared_is_worth_asking_torch_for_a_gpu(tiny: Path) -> None:
    asking = [sys.executable, "-c", ASKING, str(tiny)]
    assert subprocess.run(asking, capture_output=True, text=True, check=True).stdout.split() == [
        "False",
        "False",
        "True",
    ]


def copied(folder: Path, beside: Path) -> Path:
    return shutil.copytree(folder, beside.parent / "sensevoice", ignore=shutil.ignore_patterns("earshot"))


def model_of(engine: Engine) -> object:
    assert isinstance(engine.backend, TranscriptionPipeline)
    return engine.backend.model
