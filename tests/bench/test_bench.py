"""The benchmark itself with a model of two megabytes: what it says, not how fast anything is."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bot.bench.process_usage import PROC
from bot.config.settings import PROJECT
from engine.hub.model_class import SENSEVOICE_CLASS, read_model_class
from tests.bench.conftest import Bench
from tests.bench.environments import RIVALS
from tests.leftovers import end_with

ALONE = [option for rival in RIVALS for option in ("--without", rival.name)]


def test_the_random_model_is_a_sensevoice(tiny: Path) -> None:
    assert read_model_class(tiny) == SENSEVOICE_CLASS


@pytest.mark.slow
def test_the_random_model_has_the_weights_that_funasr_expects(tiny: Path) -> None:
    import torch  # noqa: PLC0415 - seconds, only for this test
    from funasr import AutoModel  # noqa: PLC0415 - as above

    network, _ = AutoModel.build_model(model=str(tiny), device="cpu", disable_log=True)
    expected = {name: weights.shape for name, weights in network.state_dict().items()}
    written = torch.load(tiny / "model.pt", weights_only=True)
    assert {name: weights.shape for name, weights in written.items()} == expected


@pytest.mark.slow
@pytest.mark.timeout(600)  # it loads FunASR again and again
def test_all_contestants_read_the_same_notes_and_the_last_line_is_json(bench: Bench, tmp_path: Path) -> None:
    done = bench(
        "--only", "notes", "--notes", 3, "--rounds", 1, "--precision", "fp32", "--out", tmp_path / "out.md"
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *rows, last = done.stdout.splitlines()
    whats = {figure["what"]: figure for figure in json.loads(last)["figures"]}
    assert whats["Earshot fp32 over AutoModel tuned"]["value"] > 0
    assert set(whats) >= {"Earshot fp32", "AutoModel tuned", "AutoModel README", "share of this processor's fp32 peak"}
    assert any(row.endswith(("reached", "missed")) for row in rows)
    assert (tmp_path / "out.md").read_text().startswith("| figure | what |")


def test_a_long_recording_is_compared_with_short_ones(bench: Bench) -> None:
    done = bench("--only", "hour", "--hour-s", 30, "--rounds", 1, "--precision", "fp32")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert [figure["figure"] for figure in told["figures"]] == ["one hour"] * 4
    assert {"processor", "cores", "versions"} <= set(told)


@pytest.mark.slow  # tests/bench/test_worker_start.py times a start as well
def test_a_start_is_timed(bench: Bench) -> None:
    done = bench("--only", "start", "--rounds", 1, "--precision", "fp32")
    assert done.returncode == 0, done.stderr
    [figure] = json.loads(done.stdout.splitlines()[-1])["figures"]
    assert (figure["figure"], figure["what"]) == ("start", "Earshot fp32, until its first job")


@pytest.mark.skipif(not PROC.exists(), reason="only Linux tells which children a process has")
def test_a_signal_ends_it_with_the_code_that_shells_expect_and_nothing_stays_behind(
    variables: dict[str, str], tmp_path: Path
) -> None:
    (tmp := tmp_path / "tmp").mkdir()
    command = [sys.executable, "-m", "tests.bench", "--quick", "--only", "one", "--precision", "fp32", *ALONE]
    with subprocess.Popen(command, cwd=PROJECT, env=variables | {"TMPDIR": str(tmp)}) as program:
        ended = end_with(signal.SIGTERM, program, tmp, children=3)
    assert (ended.returncode, ended.processes, ended.files) == (143, [], [])


@pytest.mark.slow
@pytest.mark.timeout(600)  # it loads FunASR again and again
def test_one_note_is_read_without_the_rivals_that_are_not_wanted(bench: Bench) -> None:
    done = bench("--only", "one", "--rounds", 1, "--precision", "fp32", *ALONE)
    assert done.returncode == 0, done.stderr
    told = {figure["what"] for figure in json.loads(done.stdout.splitlines()[-1])["figures"]}
    assert "Earshot fp32 over AutoModel README" in told
    assert not any(rival.name in what for rival in RIVALS for what in told)


@pytest.mark.parametrize("arguments", [("--device", "gpu"), ("--precision", "int9"), ("--without", "nobody")])
def test_what_cannot_be_asked_for_is_wrong_usage(bench: Bench, arguments: tuple[str, str]) -> None:
    done = bench(*arguments)
    assert done.returncode == 2
    assert f"'{arguments[1]}' is not one of" in done.stderr
