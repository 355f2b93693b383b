"""The benchmark itself with a model of a few kilobytes: what it says, not how fast anything is."""

import json
from pathlib import Path

import pytest

from bot.bench.environments import RIVALS
from bot.bench.preparing import stock_model
from engine.hub.model_class import read_model_class
from tests.bot.cli.conftest import Earshot

ALONE = [option for rival in RIVALS for option in ("--without", rival.name)]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SenseVoice folder that says something, and understands nothing."""
    return stock_model(tmp_path_factory.mktemp("bench") / "tiny", "tiny")


def test_the_stock_model_is_a_sensevoice(tiny: Path) -> None:
    assert read_model_class(tiny) == "SenseVoiceSmall"


@pytest.mark.slow
@pytest.mark.timeout(600)  # it loads FunASR again and again
def test_all_who_take_part_read_the_same_notes_and_the_last_line_is_json(
    earshot: Earshot, tiny: Path, starter_models_dir: Path, tmp_path: Path
) -> None:
    done = earshot(
        "bench", "--only", "notes", "--notes", 3, "--rounds", 1, "--precision", "fp32", "--out", tmp_path / "out.md",
        EARSHOT_ENGINE__MODEL=str(tiny), EARSHOT_ENGINE__MODELS_DIR=str(starter_models_dir),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *rows, last = done.stdout.splitlines()
    told = json.loads(last)
    whats = {figure["what"]: figure for figure in told["figures"]}
    assert whats["Earshot fp32 over AutoModel tuned"]["value"] > 0
    assert set(whats) >= {"Earshot fp32", "AutoModel tuned", "AutoModel README", "share of this processor's fp32 peak"}
    assert any(row.endswith(("reached", "missed")) for row in rows)
    assert (tmp_path / "out.md").read_text().startswith("| figure | what |")


def test_a_long_recording_is_compared_with_short_ones_and_a_start_is_timed(
    earshot_process: Earshot, tiny: Path, starter_models_dir: Path
) -> None:
    done = earshot_process(
        "bench", "--only", "hour", "--only", "start", "--hour-s", 60, "--rounds", 1, "--precision", "fp32",
        EARSHOT_ENGINE__MODEL=str(tiny), EARSHOT_ENGINE__MODELS_DIR=str(starter_models_dir),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])["figures"]
    assert [figure["figure"] for figure in figures] == [*["one hour"] * 4, "start"]
    assert figures[-1]["what"] == "Earshot fp32, until its first job"


@pytest.mark.slow
@pytest.mark.timeout(600)  # it loads FunASR again and again
def test_one_note_is_read_without_the_rivals_that_are_not_wanted(
    earshot: Earshot, tiny: Path, starter_models_dir: Path
) -> None:
    done = earshot(
        "bench", "--only", "one", "--rounds", 1, "--precision", "fp32", *ALONE,
        EARSHOT_ENGINE__MODEL=str(tiny), EARSHOT_ENGINE__MODELS_DIR=str(starter_models_dir),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = {figure["what"] for figure in json.loads(done.stdout.splitlines()[-1])["figures"]}
    assert "Earshot fp32 over AutoModel README" in told
    assert not any(rival.name in what for rival in RIVALS for what in told)


def test_what_cannot_be_read_is_named_and_the_rest_is_counted(
    earshot: Earshot, starter_models_dir: Path, sample: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty.ogg").touch()
    rows = (f"{sample}\ten\tEver tried", "empty.ogg\ten\tA", "missing.wav\ten\tB", f"{sample}\tzh\tC")
    (tmp_path / "manifest.tsv").write_text("\n".join(("file\tlanguage\treference", *rows)))
    done = earshot(
        "bench", "--clips", tmp_path,
        EARSHOT_ENGINE__MODEL="starter", EARSHOT_ENGINE__MODELS_DIR=str(starter_models_dir),
    )  # fmt: skip
    told = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, told["unread"]) == (1, ["empty.ogg", "missing.wav"])
    assert told["accuracy"]["en"]["clips"] == 1
    assert "missing.wav: not counted: there is no such file" in done.stderr
    assert "does not know their language: 1 clips" in done.stderr


def test_accuracy_is_told_by_language(earshot: Earshot, starter_models_dir: Path, sample: Path, tmp_path: Path) -> None:
    said = "Ever tried. Ever failed. No matter. Try again. Fail again. Fail better."
    (tmp_path / "manifest.tsv").write_text(f"file\tlanguage\treference\n{sample}\ten\t{said}\n")
    done = earshot(
        "bench", "--clips", tmp_path, "--out", tmp_path / "out.md",
        EARSHOT_ENGINE__MODEL="starter", EARSHOT_ENGINE__MODELS_DIR=str(starter_models_dir),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "model": "starter",
        "accuracy": {"en": {"clips": 1, "wer": 0.0, "cer": 0.0}},
        "unread": [],
    }
    assert "| en | 1 | 0.0% | 0.0% |" in (tmp_path / "out.md").read_text()


def test_clips_in_languages_that_the_model_does_not_know_are_told(earshot: Earshot, tmp_path: Path) -> None:
    (tmp_path / "manifest.tsv").write_text("file\tlanguage\treference\na.wav\tfr\tbonjour\n")
    done = earshot("bench", "--clips", tmp_path)
    assert (done.returncode, done.stderr) == (
        1,
        "earshot: the model fake knows none of the languages of these clips\n",
    )


@pytest.mark.parametrize(
    "arguments",
    [("--device", "gpu"), ("--precision", "int9"), ("--without", "nobody")],
)
def test_what_cannot_be_asked_for_is_wrong_usage(earshot: Earshot, arguments: tuple[str, str]) -> None:
    done = earshot("bench", *arguments)
    assert done.returncode == 2
    assert f"'{arguments[1]}' is not one of" in done.stderr


def test_accuracy_is_measured_as_asked_for_or_not_at_all(earshot: Earshot, tmp_path: Path) -> None:
    (tmp_path / "manifest.tsv").write_text("file\tlanguage\treference\na.wav\ten\thello\n")
    own = {"EARSHOT_ENGINE__MODEL": "starter", "EARSHOT_ENGINE__MODELS_DIR": str(tmp_path / "models")}
    done = earshot("bench", "--clips", tmp_path, "--precision", "int8", **own)
    assert done.returncode == 1
    assert "“starter” cannot run in int8 here" in done.stderr
    assert not (tmp_path / "models").exists()
    assert earshot("bench", "--clips", tmp_path, "--precision", "int8", "--precision", "fp32").returncode == 2
