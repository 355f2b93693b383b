from pathlib import Path

from tests.bot.cli.conftest import Earshot
from tests.engine.folders import nobody_writes


def test_the_list_marks_what_is_set_and_what_is_missing(earshot: Earshot) -> None:
    lines = earshot("models", EARSHOT_ENGINE__MODEL="starter").stdout.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("*")] == ["starter"]
    assert any(line.split()[0] == "sensevoice" and line.endswith("(not here yet)") for line in lines)


def test_the_list_says_why_a_model_cannot_be_prepared_and_what_to_do(earshot: Earshot, tmp_path: Path) -> None:
    own, models_dir = tmp_path / "own", tmp_path / "models"
    for folder in (own, models_dir):
        folder.mkdir()
    (own / "config.yaml").write_text("model: SenseVoiceSmall\n")
    with nobody_writes(own, models_dir):
        done = earshot("models", EARSHOT_ENGINE__MODEL=str(own), EARSHOT_ENGINE__DEVICE="cpu")
    assert done.returncode == 0
    assert f"{models_dir} cannot be written to" in done.stdout


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
