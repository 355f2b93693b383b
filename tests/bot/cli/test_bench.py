"""`earshot bench`: what it says, not how fast anything is."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bot.bench.process_usage import PROC
from tests.bot.cli.conftest import Earshot
from tests.leftovers import end_with, wait_until

FIGURES = ["start", *["one note"] * 2, *["many notes"] * 3, "long recording"]


def test_speed_and_memory_of_the_model_are_told_and_the_last_line_is_json(
    earshot: Earshot, starter_models_dir: Path, tmp_path: Path
) -> None:
    done = earshot(
        "bench", "--notes", 2, "--hour-s", 20, "--out", tmp_path / "out.md",
        EARSHOT_ENGINE__MODELS_DIR=str(starter_models_dir),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *rows, last = done.stdout.splitlines()
    told = json.loads(last)
    assert {"model": "fake", "device": "auto", "notes": 2, "hour_s": 20}.items() <= told.items()
    assert {"processor", "cores", "int8", "python", "versions"} <= set(told)
    values = {(one["figure"], one["what"]): one["value"] for one in told["figures"]}
    assert [figure for figure, _ in values if figure != "memory"] == FIGURES
    assert values["many notes", "throughput"] == pytest.approx(1 / values["many notes", "RTF"])
    assert values["many notes", "notes without text"] == 0
    if PROC.exists():
        assert values["memory", "loaded"] > 10
    assert rows[0].split() == ["figure", "what", "value"]
    assert (tmp_path / "out.md").read_text().startswith("| figure | what | value |")


@pytest.mark.skipif(not PROC.exists(), reason="only Linux tells which children a process has")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow)]
)
def test_a_signal_ends_it_with_the_code_that_shells_expect_and_nothing_stays_behind(
    variables: dict[str, str], starter_models_dir: Path, tmp_path: Path, number: int, code: int
) -> None:
    (tmp := tmp_path / "tmp").mkdir()
    reads_for_minutes = {"EARSHOT_ENGINE__FAKE_RTF": "60", "EARSHOT_ENGINE__MODELS_DIR": str(starter_models_dir)}
    others = {name: value for name, value in os.environ.items() if not name.startswith("EARSHOT_")}
    with subprocess.Popen(
        [sys.executable, "-m", "bot", "bench", "--quick"],
        env=others | variables | reads_for_minutes | {"TMPDIR": str(tmp)}, stdout=subprocess.PIPE,
    ) as program:  # fmt: skip
        wait_until(lambda: any(tmp.glob("*/note/*.wav")))
        ended = end_with(number, program, tmp, children=1)
        assert program.stdout is not None
        told = json.loads(program.stdout.read().splitlines()[-1])
    assert (ended.returncode, ended.processes, ended.files) == (code, [], [])
    assert [figure["figure"] for figure in told["figures"]] == ["start"]


def test_no_long_recording_is_read_where_none_is_wanted(earshot: Earshot, starter_models_dir: Path) -> None:
    done = earshot("bench", "--notes", 1, "--hour-s", 0, EARSHOT_ENGINE__MODELS_DIR=str(starter_models_dir))
    assert "long recording" not in done.stdout


def test_what_cannot_be_read_is_named_and_the_rest_is_counted(earshot: Earshot, sample: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.ogg").touch()
    rows = (f"{sample}\tzh\t屡试", "empty.ogg\tzh\t甲", "missing.wav\tzh\t乙", f"{sample}\tfr\tC")
    (tmp_path / "manifest.tsv").write_text("\n".join(("file\tlanguage\treference", *rows)))
    done = earshot("bench", "--clips", tmp_path)
    told = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, told["unread"]) == (1, ["empty.ogg", "missing.wav"])
    assert told["accuracy"]["zh"]["clips"] == 1
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


@pytest.mark.parametrize("arguments", [("--device", "gpu"), ("--precision", "int9")])
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
