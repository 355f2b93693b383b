from pathlib import Path

import pytest

from engine.errors import LanguageSettingNotSelectable, ModelMissing
from engine.hub.catalogue import (
    MODEL_NAMES,
    VAD_MODEL,
    check_languages,
    describe_models,
    find_model,
    find_part,
    is_downloaded,
    locate_model,
    uses_all_cores,
)
from engine.settings import EngineSettings


def settings(model: str, models_dir: Path) -> EngineSettings:
    return EngineSettings(model=model, models_dir=models_dir)


def put_model(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "model.pt").touch()
    return folder


def test_the_list_has_every_name_and_the_path_of_what_is_downloaded(tmp_path: Path) -> None:
    put_model(tmp_path / "sensevoice")
    put_model(tmp_path / VAD_MODEL)
    here = {model.name: model.path for model in describe_models(tmp_path)}
    assert here == {
        "sensevoice": tmp_path / "sensevoice",
        "paraformer": None,
        "fun-asr-nano": None,
        "whisper-turbo": None,
        "starter": None,
    }


def test_a_model_without_its_parts_is_not_downloaded(tmp_path: Path) -> None:
    put_model(tmp_path / "sensevoice")
    assert find_model("sensevoice", tmp_path).path is None
    assert not is_downloaded(settings("sensevoice", tmp_path))
    put_model(tmp_path / VAD_MODEL)
    assert is_downloaded(settings("sensevoice", tmp_path))


def test_every_name_has_a_description_and_languages(tmp_path: Path) -> None:
    for model in describe_models(tmp_path):
        assert model.description
        assert model.languages


def test_a_name_is_located_where_it_is_or_will_be(tmp_path: Path) -> None:
    assert locate_model(settings("starter", tmp_path)) == tmp_path / "starter/tiny.en.pt"


def test_a_path_may_be_a_folder_or_a_whisper_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = put_model(tmp_path / "mine")
    assert locate_model(settings(str(folder), tmp_path)) == folder
    assert locate_model(settings(str(folder / "model.pt"), tmp_path)) == folder / "model.pt"
    monkeypatch.chdir(tmp_path)
    assert locate_model(settings("./mine", tmp_path)) == folder


@pytest.mark.parametrize(("kind", "does"), [("SenseVoiceSmall", True), ("SeacoParaformer", False), (None, False)])
def test_a_folder_with_sensevoice_uses_all_cores(tmp_path: Path, *, kind: str | None, does: bool) -> None:
    if kind:
        (tmp_path / "config.yaml").write_text(f"model: {kind}\n")
    assert uses_all_cores(settings(str(tmp_path), tmp_path)) == does


@pytest.mark.parametrize(("name", "does"), [("sensevoice", True), ("whisper-turbo", False), ("fake", False)])
def test_of_the_named_models_sensevoice_uses_all_cores(name: str, tmp_path: Path, *, does: bool) -> None:
    assert uses_all_cores(settings(name, tmp_path)) == does


@pytest.mark.parametrize("asked", [{"language": "en"}, {"languages": ("en",)}, {"languages": ("en", "de")}])
def test_setting_a_language_is_refused_for_a_folder_with_unknown_languages(
    tmp_path: Path, asked: dict[str, object]
) -> None:
    folder = put_model(tmp_path / "mine")
    (folder / "config.yaml").write_text("model: Conformer\n")
    check_languages(settings(str(folder), tmp_path))
    with pytest.raises(
        LanguageSettingNotSelectable, match="mine does not tell which languages it knows, so “en” cannot"
    ):
        check_languages(settings(str(folder), tmp_path).model_copy(update=asked))


@pytest.mark.parametrize("model", ["nothing", "/nowhere/at/all", ""])
def test_what_is_neither_a_name_nor_a_path_is_missing(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if model:
        with pytest.raises(ModelMissing, match=f"{', '.join(MODEL_NAMES)}, or"):
            locate_model(settings(model, tmp_path))
    with pytest.raises(ModelMissing):
        find_model(model, tmp_path)


@pytest.mark.parametrize("place", ["mine/fsmn-vad", "mine/vad", "fsmn-vad", "vad", "models/fsmn-vad"])
def test_a_part_is_found_within_beside_or_among_the_models(tmp_path: Path, place: str) -> None:
    model = put_model(tmp_path / "mine")
    assert find_part(VAD_MODEL, model, tmp_path / "models") is None
    part = put_model(tmp_path / place)
    assert find_part(VAD_MODEL, model, tmp_path / "models") == part
    assert find_part(VAD_MODEL, model / "model.pt", tmp_path / "models") == part


def test_the_nearest_part_wins(tmp_path: Path) -> None:
    model = put_model(tmp_path / "mine")
    put_model(tmp_path / "models" / VAD_MODEL)
    beside = put_model(tmp_path / VAD_MODEL)
    assert find_part(VAD_MODEL, model, tmp_path / "models") == beside
