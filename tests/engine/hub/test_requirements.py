from pathlib import Path

import pytest

from engine.errors import DeviceMissing, ModelMissing, PrecisionMissing
from engine.hub.catalogue import MODEL_NAMES
from engine.hub.requirements import check_requirements
from engine.settings import EngineSettings

ABLE, UNABLE = frozenset({"avx2", "avx512_bf16"}), frozenset({"avx2"})


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.hub.requirements.has_gpu_device_file", lambda: False)
    monkeypatch.setattr("engine.hub.requirements.cpu_flags", lambda: UNABLE)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.hub.requirements.has_gpu_device_file", lambda: True)
    monkeypatch.setattr("engine.hub.requirements.cpu_flags", lambda: UNABLE)


def asked(model: str | Path, **settings: str) -> EngineSettings:
    return EngineSettings.model_validate({"model": str(model), **settings})


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("model", MODEL_NAMES)
def test_what_nobody_changed_can_be_had_of_every_model(model: str) -> None:
    check_requirements(asked(model))
    check_requirements(asked(model, device="cpu", precision="fp32"))


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("model", [name for name in MODEL_NAMES if name != "sensevoice"])
def test_int8_is_refused_of_models_that_do_not_have_it(model: str) -> None:
    with pytest.raises(PrecisionMissing, match=f"“{model}” cannot run in int8"):
        check_requirements(asked(model, precision="int8"))
    check_requirements(asked("sensevoice", precision="int8"))


@pytest.mark.usefixtures("gpu")
def test_int8_is_refused_on_a_gpu() -> None:
    with pytest.raises(PrecisionMissing):
        check_requirements(asked("sensevoice", device="cuda", precision="int8"))


@pytest.mark.usefixtures("no_gpu")
def test_a_processor_must_have_bf16_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PrecisionMissing):
        check_requirements(asked("sensevoice", precision="bf16"))
    monkeypatch.setattr("engine.hub.requirements.cpu_flags", lambda: ABLE)
    check_requirements(asked("sensevoice", precision="bf16"))
    with pytest.raises(PrecisionMissing):
        check_requirements(asked("paraformer", precision="bf16"))


@pytest.mark.usefixtures("gpu")
def test_of_a_gpu_torch_will_tell_whether_it_has_bf16() -> None:
    check_requirements(asked("fun-asr-nano", device="cuda:1", precision="bf16"))
    check_requirements(asked("sensevoice", precision="bf16"))
    with pytest.raises(PrecisionMissing):
        check_requirements(asked("sensevoice", device="cpu", precision="bf16"))


@pytest.mark.usefixtures("no_gpu")
def test_a_gpu_of_which_there_is_no_sign_is_missing() -> None:
    with pytest.raises(DeviceMissing, match="“cuda:1”"):
        check_requirements(asked("starter", device="cuda:1"))


@pytest.mark.usefixtures("no_gpu")
def test_a_folder_is_judged_by_the_model_that_it_names(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("model: SenseVoiceSmall\n", encoding="utf-8")
    check_requirements(asked(tmp_path, precision="int8"))
    (tmp_path / "config.yaml").write_text("model: Conformer\n", encoding="utf-8")
    with pytest.raises(PrecisionMissing):
        check_requirements(asked(tmp_path, precision="int8"))


def test_a_model_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing):
        check_requirements(asked(tmp_path / "gone", precision="int8"))


def test_the_model_for_tests_runs_in_whatever_is_asked_for() -> None:
    check_requirements(asked("fake", device="cuda", precision="int8"))
