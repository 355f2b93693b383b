from pathlib import Path

import pytest

from bot.config.loading import InvalidSettings, environment_name, read_settings, setting_names


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "settings.toml"
    path.touch()
    monkeypatch.setenv("EARSHOT_CONFIG", str(path))
    return path


def complaint() -> str:
    with pytest.raises(InvalidSettings) as caught:
        read_settings()
    return str(caught.value)


def test_names_are_dotted_and_have_a_variable_each() -> None:
    assert "data_dir" in setting_names()
    assert "engine.model" in setting_names()
    assert environment_name("engine.model") == "EARSHOT_ENGINE__MODEL"


def test_an_unknown_key_is_refused_by_name_with_the_nearest_one(file: Path) -> None:
    file.write_text('[engine]\nmodle = "starter"\n')
    assert "there is no setting engine.modle; did you mean engine.model?" in complaint()


def test_an_unknown_table_is_refused(file: Path) -> None:
    file.write_text("[storag]\nmax_recordings = 3\n")
    assert "no setting storag" in complaint()


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("EARSHOT_ENGINE__MODLE", "EARSHOT_ENGINE__MODEL"),
        ("EARSHOT_TELEGRAM_TOKEN", "EARSHOT_TELEGRAM__TOKEN"),
        ("EARSHOT_DATADIR", "EARSHOT_DATA_DIR"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_one(
    monkeypatch: pytest.MonkeyPatch, wrong: str, meant: str
) -> None:
    monkeypatch.setenv(wrong, "x")
    assert complaint() == f"There is no setting {wrong}; did you mean {meant}?"


def test_mistakes_in_dotenv_are_refused_as_those_in_the_environment_are(file: Path) -> None:
    dotenv = file.parent / ".env"
    dotenv.write_text("EARSHOT_ENGINE__MODLE=x\n")
    assert complaint() == "There is no setting EARSHOT_ENGINE__MODLE; did you mean EARSHOT_ENGINE__MODEL?"
    dotenv.write_text("EARSHOT_ACCESS__ADMINS=1,2\n")
    assert complaint().startswith("EARSHOT_ACCESS__ADMINS: write a list")
    dotenv.write_text("EARSHOT_TELEGRAM__TOKEN=geheim\n")
    assert complaint().startswith("EARSHOT_TELEGRAM__TOKEN: this is no bot token")
    dotenv.write_bytes(b"\xff\n")
    assert "is not valid" in complaint()


def test_a_wrong_value_is_refused_by_the_name_that_was_written(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("[engine]\ntimeout_s = -1\n")
    assert "settings.toml: engine.timeout_s" in complaint()
    monkeypatch.setenv("EARSHOT_ENGINE__TIMEOUT_S", "soon")
    assert complaint().startswith("EARSHOT_ENGINE__TIMEOUT_S: ")


def test_a_secret_in_the_wrong_place_is_not_repeated(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('[access]\nadmins = "4242:secret-part"\n')
    assert "secret-part" not in complaint()
    monkeypatch.setenv("EARSHOT_ACCESS__USERS", "4242:secret-part")
    assert "secret-part" not in complaint()


@pytest.mark.parametrize(
    "listen", ["8080", ":8080", "localhost", "localhost:", "localhost:http", "h:0", "h:65536", "h:²"]
)
def test_a_place_to_listen_is_a_host_and_a_port(monkeypatch: pytest.MonkeyPatch, listen: str) -> None:
    monkeypatch.setenv("EARSHOT_TELEGRAM__WEBHOOK_LISTEN", listen)
    assert complaint() == "EARSHOT_TELEGRAM__WEBHOOK_LISTEN: write host:port, such as 127.0.0.1:8080."


@pytest.mark.parametrize("listen", ["0.0.0.0:1", "[::1]:65535", "localhost:8443"])
def test_any_host_and_port_will_do(monkeypatch: pytest.MonkeyPatch, listen: str) -> None:
    monkeypatch.setenv("EARSHOT_TELEGRAM__WEBHOOK_LISTEN", listen)
    assert read_settings().telegram.webhook_listen == listen


@pytest.mark.parametrize("secret", ["own secret", "geheimnisträger", "a" * 257, "line\n"])
def test_a_webhook_secret_that_telegram_refuses_is_refused_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setenv("EARSHOT_TELEGRAM__WEBHOOK_SECRET", secret)
    said = complaint()
    assert said.startswith("EARSHOT_TELEGRAM__WEBHOOK_SECRET: Telegram takes at most 256 of the characters")
    assert secret not in said


def test_a_webhook_secret_of_the_longest_kind_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARSHOT_TELEGRAM__WEBHOOK_SECRET", "aZ9_-" * 51 + "x")
    assert len(read_settings().telegram.webhook_secret) == 256


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "GPU 1"])
def test_a_device_that_is_none_is_refused_with_what_can_be_set(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    monkeypatch.setenv("EARSHOT_ENGINE__DEVICE", device)
    with pytest.raises(InvalidSettings, match=r"EARSHOT_ENGINE__DEVICE: write auto, cpu, or a GPU .* cuda or cuda:1"):
        read_settings()


@pytest.mark.parametrize("speakers", ["0", "21", "-1", "many", "2.5", "OFF"])
def test_speakers_that_are_set_wrong_are_refused_with_what_can_be_set(
    monkeypatch: pytest.MonkeyPatch, speakers: str
) -> None:
    monkeypatch.setenv("EARSHOT_ENGINE__SPEAKERS", speakers)
    assert complaint() == "EARSHOT_ENGINE__SPEAKERS: write off, auto, or a number from 1 to 20."


@pytest.mark.parametrize(("written", "meant"), [("off", "off"), ("auto", "auto"), ("1", 1), ("20", 20)])
def test_speakers_are_a_word_or_a_number(monkeypatch: pytest.MonkeyPatch, written: str, meant: str | int) -> None:
    monkeypatch.setenv("EARSHOT_ENGINE__SPEAKERS", written)
    assert read_settings().engine.speakers == meant


def test_capitals_of_a_language_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARSHOT_ENGINE__LANGUAGE", "EN")
    monkeypatch.setenv("EARSHOT_ENGINE__LANGUAGES", '["EN", "de"]')
    assert (read_settings().engine.language, read_settings().engine.languages) == ("en", ("en", "de"))


def test_a_list_that_is_no_json_is_refused_with_an_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARSHOT_ACCESS__ADMINS", "1,2")
    assert "EARSHOT_ACCESS__ADMINS" in complaint()
    assert "[1, 2]" in complaint()


def test_a_list_of_languages_that_is_no_list_is_refused_with_an_example(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text('[engine]\nlanguages = "en"\n')
    assert complaint() == f'{file}: engine.languages: write a list such as [1, 2] or ["en", "de"].'
    monkeypatch.setenv("EARSHOT_ENGINE__LANGUAGES", "en,de")
    assert complaint() == 'EARSHOT_ENGINE__LANGUAGES: write a list such as [1, 2] or ["en", "de"].'
    monkeypatch.setenv("EARSHOT_ENGINE__LANGUAGES", '["en", "de"]')
    assert read_settings().engine.languages == ("en", "de")


def test_a_file_that_is_no_toml_is_named(file: Path) -> None:
    file.write_text("[engine\n")
    assert complaint().startswith(f"{file} is not valid TOML: ")


def test_a_file_that_is_named_and_not_there_is_an_error(file: Path) -> None:
    file.unlink()
    assert "There is no settings file" in complaint()


@pytest.mark.parametrize("token", ["geheim", "987654", "987654:", ":GHI", "987654:GHI JKL"])
def test_what_is_no_token_is_refused_at_once_and_not_repeated(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("EARSHOT_TELEGRAM__TOKEN", token)
    assert complaint().startswith("EARSHOT_TELEGRAM__TOKEN: this is no bot token; @BotFather gives one")
    assert token not in complaint()
