import shutil
from pathlib import Path

import pytest

from engine.errors import CustomModelBroken, DeviceMissing, LanguageNotSelectable, ModelBroken, PrecisionMissing
from engine.pipeline.transcribe import Recognizer, TranscriptionPipeline
from engine.recognizers.funasr_generic import GenericFunasr
from engine.recognizers.registry import ModelParts, load
from engine.recognizers.sensevoice import SenseVoice
from engine.recognizers.sensevoice_torch import BatchedModel
from engine.request import Request
from engine.settings import EngineSettings
from engine.speech import Engine
from tests.engine.folders import HAN, LETTERS, write_conformer, write_punctuation, write_seaco
from tests.engine.transcribing import text_of, transcribe

ONE_THREAD = EngineSettings(threads=1)


def load_with(models: Path, recognizer: Path, settings: EngineSettings = ONE_THREAD) -> Recognizer:
    return load("mine", ModelParts(recognizer=recognizer, vad=models / "fsmn-vad", punctuation=None), settings)


def test_whisper_runs_on_the_number_of_threads_in_the_settings(starter_models_dir: Path) -> None:
    import torch  # noqa: PLC0415 - not before a model is loaded

    load_with(starter_models_dir, starter_models_dir / "starter/tiny.en.pt")
    assert torch.get_num_threads() == 1


def test_a_folder_of_an_unknown_class_is_loaded_generically(
    tmp_path: Path, starter_models_dir: Path, sample: Path
) -> None:
    folder = write_conformer(tmp_path / "conformer")
    engine = Engine.open(EngineSettings(model=str(folder), models_dir=starter_models_dir, threads=1))
    assert isinstance(engine.backend, TranscriptionPipeline)
    assert isinstance(engine.backend.model, GenericFunasr)
    said = transcribe(engine, sample, hotwords=("Beckett",))
    assert set(text_of(said)) - {" "} <= {*LETTERS, *HAN}
    assert text_of(said)
    assert said.model == "conformer"
    with pytest.raises(LanguageNotSelectable, match="Leave out “en”"):
        engine.resolve_language(Request(language="en"))


@pytest.mark.parametrize("kind", ["FsmnVADStreaming", "CTTransformer"])
def test_a_folder_whose_model_reads_no_speech_is_refused_for_that(
    tmp_path: Path, starter_models_dir: Path, kind: str
) -> None:
    vad = kind == "FsmnVADStreaming"
    folder = starter_models_dir / "fsmn-vad" if vad else write_punctuation(tmp_path / "punctuation")
    with pytest.raises(CustomModelBroken, match=f"FunASR's {kind} gives no text for sound") as fault:
        Engine.open(EngineSettings(model=str(folder), models_dir=starter_models_dir, threads=1))
    assert fault.value.params["path"] == str(folder)


def test_a_file_of_another_kind_is_a_broken_model(starter_models_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "tiny.en.pt"
    path.write_bytes(b"nothing")
    with pytest.raises(ModelBroken) as fault:
        load_with(starter_models_dir, path)
    assert fault.value.params["path"] == str(path)


def test_damage_that_shows_only_in_use_is_found_when_loading(starter_models_dir: Path, tmp_path: Path) -> None:
    folder = write_seaco(tmp_path / "mine")
    (folder / "am.mvn").write_bytes(b"\x00{[")
    with pytest.raises(ModelBroken) as fault:
        load_with(starter_models_dir, folder)
    assert fault.value.params["path"] == str(folder)


def test_a_broken_detector_is_named_before_the_recognizer(starter_models_dir: Path, tmp_path: Path) -> None:
    vad = shutil.copytree(starter_models_dir / "fsmn-vad", tmp_path / "fsmn-vad")
    (vad / "am.mvn").write_bytes(b"\x00{[")
    parts = ModelParts(recognizer=starter_models_dir / "starter/tiny.en.pt", vad=vad, punctuation=None)
    with pytest.raises(ModelBroken) as fault:
        load("starter", parts, ONE_THREAD)
    assert fault.value.params["path"] == str(vad)


def test_a_missing_device_is_refused(starter_models_dir: Path) -> None:
    with pytest.raises(DeviceMissing, match="cuda:99"):
        load_with(starter_models_dir, starter_models_dir / "starter/tiny.en.pt", EngineSettings(device="cuda:99"))


@pytest.mark.parametrize("able", [False, True])
def test_sensevoice_runs_in_bf16_only_on_a_processor_that_has_it(
    tiny: Path, starter_models_dir: Path, monkeypatch: pytest.MonkeyPatch, *, able: bool
) -> None:
    monkeypatch.setattr(
        "engine.recognizers.registry.cpu_flags", lambda: frozenset({"avx512_bf16"} if able else {"avx2"})
    )
    asked = EngineSettings(precision="bf16", device="cpu", threads=1)
    if not able:
        with pytest.raises(PrecisionMissing, match="bf16"):
            load_with(starter_models_dir, tiny, asked)
        return
    model = load_with(starter_models_dir, tiny, asked)
    assert isinstance(model, SenseVoice)
    assert isinstance(model.network, BatchedModel)


@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_an_unsupported_precision_is_refused(starter_models_dir: Path, precision: str) -> None:
    settings = EngineSettings.model_validate({"precision": precision})
    with pytest.raises(PrecisionMissing, match=precision):
        load_with(starter_models_dir, starter_models_dir / "starter/tiny.en.pt", settings)
