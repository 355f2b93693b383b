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
def test_every_model_runs_with_the_default_settings(model: str) -> None:
    check_requirements(asked(model))
    check_requirements(asked(model, device="cpu", precision="fp32"))


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("model", [name for name in MODEL_NAMES if name != "sensevoice"])
def test_int8_is_refused_for_models_without_it(model: str) -> None:
    with pytest.raises(PrecisionMissing, match=f"“{model}” cannot run in int8"):
        check_requirements(asked(model, precision="int8"))
    check_requirements(asked("sensevoice", precision="int8"))


@pytest.mark.usefixtures("gpu")
def test_int8_is_refused_on_a_gpu() -> None:
    with pytest.raises(PrecisionMissing):
        check_requirements(asked("sensevoice", device="cuda", precision="int8"))


@pytest.mark.usefixtures("no_gpu")
def test_bf16_on_a_cpu_needs_a_cpu_with_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PrecisionMissing):
        check_requirements(asked("sensevoice", precision="bf16"))
    monkeypatch.setattr("engine.hub.requirements.cpu_flags", lambda: ABLE)
    check_requirements(asked("sensevoice", precision="bf16"))
    with pytest.raises(PrecisionMissing):
        check_requirements(asked("paraformer", precision="bf16"))


@pytest.mark.usefixtures("gpu")
def test_bf16_on_a_gpu_is_left_to_torch_to_check() -> None:
    check_requirements(asked("fun-asr-nano", device="cuda:1", precision="bf16"))
    check_requirements(asked("sensevoice", precision="bf16"))
    with pytest.raises(PrecisionMissing):
        check_requirements(asked("sensevoice", device="cpu", precision="bf16"))


@pytest.mark.usefixtures("no_gpu")
def test_a_gpu_that_is_not_there_is_refused() -> None:
    with pytest.raises(DeviceMissing, match="“cuda:1”"):
        check_requirements(asked("starter", device="cuda:1"))


@pytest.mark.usefixtures("no_gpu")
def test_a_folder_is_checked_by_its_network_class(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("model: SenseVoiceSmall\n", encoding="utf-8")
    check_requirements(asked(tmp_path, precision="int8"))
    (tmp_path / "config.yaml").write_text("model: Conformer\n", encoding="utf-8")
    with pytest.raises(PrecisionMissing):
        check_requirements(asked(tmp_path, precision="int8"))


def test_a_missing_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing):
        check_requirements(asked(tmp_path / "gone", precision="int8"))


def test_the_fake_model_runs_with_any_settings() -> None:
    check_requirements(asked("fake", device="cuda", precision="int8"))
