from pathlib import Path

import pytest

from engine.hub.catalogue import languages_of
from engine.hub.model_class import lacks_punctuation


def test_named_models_have_their_languages() -> None:
    assert languages_of("sensevoice") == ("zh", "yue", "en", "ja", "ko")
    assert languages_of("starter") == ("en",)
    assert len(languages_of("whisper-turbo")) == 100


@pytest.mark.parametrize(
    ("model_class", "languages"),
    [
        ("SenseVoiceSmall", ("zh", "yue", "en", "ja", "ko")),
        ("SeacoParaformer", ("zh", "en")),
        ("'BiCifParaformer'", ("zh", "en")),
        ("Whisper-tiny.en", ("en",)),
        ("FunASRNano", ("zh", "en", "ja")),
        ("Conformer", ()),
    ],
)
def test_a_folder_s_languages_follow_from_its_configuration(
    tmp_path: Path, model_class: str, languages: tuple[str, ...]
) -> None:
    (tmp_path / "config.yaml").write_text(
        f"encoder: X\nmodel: {model_class}\nmodel_conf:\n    a: 1\n", encoding="utf-8"
    )
    assert languages_of(str(tmp_path)) == languages
    assert lacks_punctuation(tmp_path) == ("Paraformer" in model_class)


def test_a_whisper_file_s_languages_follow_from_its_name() -> None:
    assert languages_of("/models/tiny.en.pt") == ("en",)
    assert len(languages_of("/models/base.pt")) == 100


def test_a_missing_folder_has_no_known_languages(tmp_path: Path) -> None:
    assert languages_of(str(tmp_path / "gone")) == ()


def test_the_languages_of_a_path_below_the_home_folder_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "config.yaml").write_text("model: SenseVoiceSmall\n", encoding="utf-8")
    assert languages_of("~") == ("zh", "yue", "en", "ja", "ko")
