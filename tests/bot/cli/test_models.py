from pathlib import Path

from tests.bot.cli.conftest import Earshot


def test_the_list_marks_what_is_set_and_what_is_missing(earshot: Earshot) -> None:
    lines = earshot("models", EARSHOT_ENGINE__MODEL="starter").stdout.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("*")] == ["starter"]
    assert any(line.split()[0] == "sensevoice" and line.endswith("(not here yet)") for line in lines)


def test_the_list_says_why_a_model_cannot_be_prepared_and_what_to_do(earshot: Earshot, tmp_path: Path) -> None:
    own, models_dir = tmp_path / "own", tmp_path / "models"
    own.mkdir()
    (own / "config.yaml").write_text("model: SenseVoiceSmall\n")
    (own / "model.pt").touch()
    models_dir.write_bytes(b"a file")
    done = earshot("models", EARSHOT_ENGINE__MODEL=str(own), EARSHOT_ENGINE__DEVICE="cpu")
    assert done.returncode == 0
    assert f"{models_dir} cannot be written to" in done.stdout


def test_the_list_shows_what_tells_speakers_apart_and_nothing_for_tests(earshot: Earshot, tmp_path: Path) -> None:
    def line() -> str:
        return next(line for line in earshot("models").stdout.splitlines() if line.split()[0] == "speakers")

    assert line().endswith("(not here yet)")
    (tmp_path / "models/speakers").mkdir(parents=True)
    assert line().endswith(f"({tmp_path / 'models/speakers'})")
    assert "fake" not in earshot("models").stdout


def test_the_help_page_says_in_whole_sentences_what_the_commands_do(earshot: Earshot) -> None:
    page = earshot("models", "--help").stdout
    assert "verify  Compare int8 with fp32 on the recordings in FOLDER.\n" in page
    assert "..." not in page.partition("Commands:")[2]


def test_pulling_what_does_not_exist_says_what_does(earshot: Earshot, tmp_path: Path) -> None:
    done = earshot("models", "pull", "nonsense")
    assert (done.returncode, done.stdout) == (1, "")
    assert "nonsense" in done.stderr
    assert "sensevoice" in done.stderr
    assert not list((tmp_path / "models").glob("*"))


def test_verifying_is_refused_where_there_is_nothing_to_choose(earshot: Earshot, tmp_path: Path) -> None:
    done = earshot("models", "verify", str(tmp_path), EARSHOT_ENGINE__MODEL="starter")
    assert (done.returncode, done.stdout) == (1, "")
    assert "starter has one arithmetic only" in done.stderr


def test_verifying_a_model_that_is_not_here_says_how_to_fetch_it(earshot: Earshot, tmp_path: Path) -> None:
    done = earshot("models", "verify", str(tmp_path), EARSHOT_ENGINE__MODEL="sensevoice")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "sensevoice is not here yet; fetch it with `earshot models pull sensevoice`" in done.stderr
    assert not (tmp_path / "models").exists()


def test_verifying_is_refused_where_the_setting_decides(earshot: Earshot, tmp_path: Path) -> None:
    for precision in ("int8", "fp32"):
        told = {"EARSHOT_ENGINE__MODEL": "sensevoice", "EARSHOT_ENGINE__PRECISION": precision}
        done = earshot("models", "verify", str(tmp_path), **told)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"engine.precision is {precision}, which decides already" in done.stderr
