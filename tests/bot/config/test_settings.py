"""settings.toml, the environment, and how they come together."""

import tomllib
from pathlib import Path

import pytest

from bot.config.loading import environment_name, setting_names
from bot.config.settings import PROJECT, Settings

SHIPPED = PROJECT / "settings.toml"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        *map(environment_name, setting_names()),
        *map(environment_name, Settings.model_fields),
        "EARSHOT_CONFIG",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A settings file that is read instead of the shipped one."""
    path = tmp_path / "mine" / "settings.toml"
    path.parent.mkdir()
    path.touch()
    monkeypatch.setenv("EARSHOT_CONFIG", str(path))
    return path


def keys_in(table: dict[str, object], before: str = "") -> set[str]:
    found = set()
    for key, value in table.items():
        found |= keys_in(value, f"{key}.") if isinstance(value, dict) else {before + key}
    return found


def test_every_setting_is_in_the_shipped_file_and_every_key_there_is_a_setting() -> None:
    assert keys_in(tomllib.loads(SHIPPED.read_text())) == set(setting_names())


def test_every_key_of_the_shipped_file_has_a_comment_above_it() -> None:
    lines = SHIPPED.read_text().splitlines()
    bare = [
        line for above, line in zip(["", *lines], lines, strict=False) if "=" in line and line[0] != "#" != above[:1]
    ]
    assert bare == []


def test_times_and_counts_in_the_shipped_file_name_their_unit() -> None:
    lines = SHIPPED.read_text().splitlines()
    above = {line.partition(" ")[0]: before for before, line in zip(["", *lines], lines, strict=False)}
    timed = [name for name in above if name.endswith("_s")]
    assert timed
    assert all(above[name].startswith("# Seconds") for name in timed)


def test_the_shipped_file_says_the_defaults(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = Settings()
    monkeypatch.setenv("EARSHOT_CONFIG", str(SHIPPED))
    assert Settings() == defaults
    assert file.read_text() == ""


def test_the_file_is_read(file: Path) -> None:
    file.write_text('[engine]\nmodel = "starter"\n[access]\nadmins = [7]\n')
    settings = Settings()
    assert settings.engine.model == "starter"
    assert settings.access.admins == {7}


def test_the_environment_wins_over_the_file_and_leaves_its_neighbours(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text('[engine]\nmodel = "starter"\ntimeout_s = 5\n')
    monkeypatch.setenv("EARSHOT_ENGINE__MODEL", "fake")
    settings = Settings()
    assert (settings.engine.model, settings.engine.timeout_s) == ("fake", 5)


def test_variables_in_dotenv_win_over_the_file_and_lose_to_the_environment(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("[engine]\ntimeout_s = 5\n[workers]\ncount = 3\n")
    (file.parent / ".env").write_text(
        "# ours\nexport EARSHOT_ENGINE__MODEL=starter\nEARSHOT_ENGINE__TIMEOUT_S=6\n"
        "EARSHOT_ACCESS__ADMINS='[7]'\nTZ=UTC\n"
    )
    monkeypatch.setenv("EARSHOT_ENGINE__MODEL", "fake")
    settings = Settings()
    assert (settings.engine.model, settings.engine.timeout_s, settings.workers.count) == ("fake", 6, 3)
    assert settings.access.admins == {7}


def test_an_empty_variable_and_an_empty_string_mean_the_default(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('[engine]\nmodel = ""\nhotwords = ""\n[log]\nfile = ""\n')
    monkeypatch.setenv("EARSHOT_ENGINE__DEVICE", "")
    settings = Settings()
    assert (settings.engine.model, settings.engine.device) == ("sensevoice", "auto")
    assert settings.engine.hotwords is None
    assert settings.log.file is None


def test_paths_count_from_the_files_folder(file: Path) -> None:
    file.write_text('data_dir = "kept"\n[engine]\nhotwords = "words.txt"\nmodels_dir = "/models"\n')
    settings = Settings()
    assert settings.data_dir == file.parent / "kept"
    assert settings.engine.hotwords == file.parent / "words.txt"
    assert settings.engine.models_dir == Path("/models")


def test_a_model_is_a_path_only_where_that_folder_exists(file: Path) -> None:
    file.write_text('[engine]\nmodel = "starter"\n')
    assert Settings().engine.model == "starter"
    (file.parent / "own-model").mkdir()
    file.write_text('[engine]\nmodel = "own-model"\n')
    assert Settings().engine.model == str(file.parent / "own-model")


def test_lists_in_the_environment_are_json(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    monkeypatch.setenv("EARSHOT_ACCESS__ADMINS", "[1, 2]")
    assert Settings().access.admins == {1, 2}
    assert file.exists()


def test_the_token_does_not_appear_in_print(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARSHOT_TELEGRAM__TOKEN", "4242:secret-part")
    settings = Settings()
    assert settings.telegram.token.get_secret_value() == "4242:secret-part"
    assert "secret-part" not in repr(settings) + str(settings) + settings.model_dump_json()
