import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import Mock

import pytest

from engine.errors import CustomModelBroken, ExportsClosed, NothingToVerify
from engine.hub.pull import OnDownload
from engine.pipeline.transcribe import TranscriptionPipeline
from engine.recognizers.funasr_generic import GenericFunasr
from engine.recognizers.prepared import check_exports, current_decision, missing_exports, write_exports
from engine.recognizers.sensevoice import SenseVoice
from engine.recognizers.sensevoice_export import sensevoice_exports
from engine.runtime.cpu import cpu_flags, int8_support
from engine.runtime.precision import NO_SPEECH_TO_COMPARE, Decision, Precision, int8_variant, prove
from engine.settings import EngineSettings
from engine.speech import Engine, sensevoice_loader
from tests.engine.folders import exported
from tests.engine.permissions import nobody_writes
from tests.engine.transcribing import text_of, transcribe

INT8: Precision = int8_variant(int8_support(cpu_flags()))
ASKING = """
import sys
from pathlib import Path
from engine.runtime import cpu
from engine.recognizers.funasr_generic import GenericFunasr
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
def own(tiny: Path, tmp_path: Path) -> Path:
    """A model of a test's own."""
    return shutil.copytree(tiny, tmp_path / "sensevoice")


@pytest.fixture(scope="module")
def rough(
    shared: Path, starter_models_dir: Path, sample: Path, tmp_path_factory: pytest.TempPathFactory
) -> EngineSettings:
    """Real weights that are known to bear no rounding, not prepared yet."""
    models_dir = tmp_path_factory.mktemp("rough")
    (models_dir / "fsmn-vad").symlink_to(starter_models_dir / "fsmn-vad")
    (models_dir / "sample").symlink_to(sample.parent)
    return EngineSettings(model=str(shared / "models/sensevoice-charctc"), models_dir=models_dir, device="cpu")


@pytest.fixture(scope="module")
def prepared(rough: EngineSettings) -> tuple[Engine, set[str]]:
    """An engine that has prepared that model, and what it told of as it went on."""
    assert current_decision(rough) is None
    told: set[str] = set()
    return Engine.open(rough, on_download=lambda file, _done, _total: told.add(file)), told


@needs_a_choice
def test_a_model_that_bears_no_rounding_runs_in_fp32_and_says_why(
    prepared: tuple[Engine, set[str]], rough: EngineSettings, shared: Path
) -> None:
    engine, told = prepared
    assert {"sensevoice-charctc (fp32)", f"sensevoice-charctc ({INT8})"} == told
    decision = current_decision(rough)
    assert decision is not None
    assert decision.precision == "fp32"
    assert decision.agreement is not None
    assert decision.agreement < 0.99
    exports = sensevoice_exports(Path(rough.model), rough.models_dir)
    assert (exports.has("fp32"), exports.has(INT8)) == (True, False)
    assert text_of(transcribe(engine, shared / "clips/zh_voice_message.ogg"))


@needs_a_choice
@pytest.mark.usefixtures("prepared")
def test_what_was_decided_is_not_asked_again(rough: EngineSettings) -> None:
    nothing: OnDownload = lambda *_: pytest.fail("something was written")  # noqa: E731
    Engine.open(rough, on_download=nothing)
    assert missing_exports(rough) == ()


@needs_a_choice
@pytest.mark.usefixtures("prepared")
def test_the_owner_s_recordings_decide_anew(rough: EngineSettings, shared: Path, tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    (clips / "folder").mkdir(parents=True)
    (clips / "notes.txt").write_text("not a recording", encoding="utf-8")
    with pytest.raises(NothingToVerify, match="clips"):
        sensevoice_loader(rough).verify(clips)
    for clip in ("zh_voice_message.ogg", "en_librivox_sense_0880.wav"):
        shutil.copy(shared / "clips" / clip, clips)
    decision = sensevoice_loader(rough).verify(clips)
    assert decision.recordings == 2
    assert current_decision(rough) == decision


@needs_a_choice
def test_without_speech_to_prove_it_with_int8_is_not_taken(
    own: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (models_dir / "sample").unlink()
    for name, value in {"NO_INDEX": "1", "FIND_LINKS": str(models_dir), "CONFIG_FILE": "/dev/null"}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    settings = EngineSettings(model=str(own), models_dir=models_dir, device="cpu")
    Engine.open(settings)
    decision = current_decision(settings)
    assert decision is not None
    assert (decision.precision, decision.reason) == ("fp32", NO_SPEECH_TO_COMPARE)


def test_the_precision_that_is_set_is_the_only_one_written(own: Path, models_dir: Path) -> None:
    settings = EngineSettings(model=str(own), models_dir=models_dir, device="cpu", precision="int8")
    assert missing_exports(settings) == (INT8,)
    write_exports(settings, lambda *_: None)
    files = (path.name for path in sensevoice_exports(own, models_dir).folder.iterdir())
    assert sorted(files) == [".lock", f"{INT8}.onnx", f"{INT8}.weights"]
    assert isinstance(model_of(Engine.open(settings)), SenseVoice)


@needs_a_choice
def test_a_start_that_was_overtaken_writes_nothing_of_what_was_dropped(own: Path, models_dir: Path) -> None:
    settings = EngineSettings(model=str(own), models_dir=models_dir, device="cpu")
    assert missing_exports(settings) == ("fp32", INT8)
    exports = sensevoice_exports(own, models_dir)
    exports.folder.mkdir()
    exports.keep(INT8, Decision(precision=INT8, reason="another start has proved it"))
    write_exports(settings, lambda *_: None)
    assert (exports.has("fp32"), exports.has(INT8)) == (False, True)
    assert missing_exports(settings) == ()


@needs_a_choice
def test_of_several_that_start_at_once_one_proves_int8(
    own: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proving = Mock(wraps=prove)
    monkeypatch.setattr("engine.recognizers.prepared.prove", proving)
    settings = EngineSettings(model=str(own), models_dir=models_dir, device="cpu", threads=1)
    with ThreadPoolExecutor() as pool:
        engines = list(pool.map(Engine.open, [settings] * 3))
    assert {type(model_of(engine)) for engine in engines} == {SenseVoice}
    proving.assert_called_once()


def test_a_checkpoint_that_cannot_be_exported_is_left_to_funasr(own: Path, models_dir: Path) -> None:
    import torch  # noqa: PLC0415 - not before a test needs it

    torch.save({"state_dict": torch.load(own / "model.pt"), "epoch": 3}, own / "model.pt")
    settings = EngineSettings(model=str(own), models_dir=models_dir, device="cpu")
    write_exports(settings, lambda *_: None)
    assert missing_exports(settings) == ()
    assert isinstance(model_of(Engine.open(settings)), GenericFunasr)


def test_a_model_without_weights_is_told_to_be_broken_and_not_to_be_unprepared(own: Path, models_dir: Path) -> None:
    (own / "model.pt").unlink()
    settings = EngineSettings(model=str(own), models_dir=models_dir, device="cpu")
    assert missing_exports(settings) == ()
    with pytest.raises(CustomModelBroken, match=r"model\.pt is missing"):
        Engine.open(settings)


def test_where_nothing_can_be_written_torch_reads_and_the_owner_is_told_why(own: Path, models_dir: Path) -> None:
    settings = EngineSettings(model=str(own), models_dir=models_dir, device="cpu")
    with nobody_writes(models_dir):
        assert isinstance(model_of(Engine.open(settings)), GenericFunasr)
        with pytest.raises(ExportsClosed, match=f"{models_dir} cannot be written to"):
            check_exports(settings)
        with pytest.raises(ExportsClosed, match=f"{models_dir} cannot be written to"):
            write_exports(settings, lambda *_: None)
        with pytest.raises(NothingToVerify, match=f"{models_dir} cannot be written to"):
            sensevoice_loader(settings).verify(own)
    check_exports(settings)


@needs_a_choice
def test_what_was_prepared_in_fp32_only_is_used_where_int8_cannot_be_tried(own: Path, models_dir: Path) -> None:
    folder = exported(own, models_dir, "fp32").parent
    settings = EngineSettings(model=str(own), models_dir=models_dir, device="cpu")
    with nobody_writes(folder, folder.parent, models_dir):
        assert isinstance(model_of(Engine.open(settings)), SenseVoice)
        check_exports(settings)
        decision = current_decision(settings)
    assert decision is not None
    assert decision.precision == "fp32"
    assert f"{folder} cannot be written to" in decision.reason
    assert current_decision(settings) is None


def test_only_a_model_that_could_be_prepared_is_worth_asking_torch_for_a_gpu(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("class cuda:\n    is_available = staticmethod(lambda: False)\n")
    path = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", ASKING, str(tiny)],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.stdout.split() == ["False", "False", "True"]


def model_of(engine: Engine) -> object:
    assert isinstance(engine.backend, TranscriptionPipeline)
    return engine.backend.model
