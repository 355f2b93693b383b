"""Contestants as real processes: small ones that are written here."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.bench.termination import exit_on_signals
from bot.config.settings import PROJECT
from tests.bench import contest
from tests.bench.contest import Contestant, ContestantFailed, open_team
from tests.leftovers import end_with, wait_until

ECHO = """
import os, sys, time
def load(options):
    print("noise that is no answer")
    time.sleep(float(options.get("loads_s", 0)))
    def transcribe(files):
        if options.get("dies") in files:
            raise ValueError("cannot read this")
        time.sleep(float(options.get("takes_s", 0)))
        return [f"{os.path.basename(file)} {os.getpid()}" for file in files]
    return int(options.get("at_once", 1)), transcribe
"""


@pytest.fixture
def echo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Contestant]:
    folder = tmp_path / "adapters"
    folder.mkdir()
    (folder / "echo.py").write_text(ECHO)
    (tmp_path / "child.py").write_text((contest.HERE / "child.py").read_text())
    monkeypatch.setattr(contest, "HERE", tmp_path)

    def make(processes: int = 1, files_per_call: int = 1, **options: str) -> Contestant:
        return Contestant(
            name="echo", file="echo.py", options=options, processes=processes, files_per_call=files_per_call
        )  # fmt: skip

    return make


def files(count: int) -> list[Path]:
    return [Path(f"/{number}.ogg") for number in range(count)]


def test_a_team_transcribes_every_file_once_and_gives_the_texts_in_their_order(
    echo: Callable[..., Contestant], tmp_path: Path
) -> None:
    with open_team(echo(processes=2), tmp_path) as two:
        run = two.transcribe(files(20))
    assert [text.split()[0] for text in run.texts] == [file.name for file in files(20)]
    assert run.wall_s > 0


def test_all_processes_of_a_team_get_some(echo: Callable[..., Contestant], tmp_path: Path) -> None:
    with open_team(echo(processes=2, takes_s="0.1"), tmp_path) as two:
        assert len({text.split()[1] for text in two.transcribe(files(8)).texts}) == 2


def test_files_can_be_handed_over_in_batches(echo: Callable[..., Contestant], tmp_path: Path) -> None:
    with open_team(echo(files_per_call=3), tmp_path) as one:
        assert len(one.transcribe(files(8)).texts) == 8


def test_a_contestant_that_dies_is_told_with_its_reason(echo: Callable[..., Contestant], tmp_path: Path) -> None:
    with (
        open_team(echo(dies="/3.ogg"), tmp_path) as one,
        pytest.raises(ContestantFailed, match="echo failed: ValueError: cannot read this"),
    ):
        one.transcribe(files(5))


def test_a_contestant_that_cannot_be_opened_is_told_with_its_reason(
    echo: Callable[..., Contestant], tmp_path: Path
) -> None:
    with (
        pytest.raises(ContestantFailed, match="ValueError: invalid literal"),
        open_team(echo(at_once="many"), tmp_path),
    ):
        pass


def test_processes_end_with_the_contest(echo: Callable[..., Contestant], tmp_path: Path) -> None:
    with open_team(echo(), tmp_path) as one:
        [text] = one.transcribe(files(1)).texts
    assert not Path(f"/proc/{text.split()[1]}/cmdline").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells which children a process has")
@pytest.mark.parametrize("busy", ["loads_s", "takes_s"])
def test_contestants_end_when_the_benchmark_is_killed(
    echo: Callable[..., Contestant], tmp_path: Path, busy: str
) -> None:
    (logs := tmp_path / "logs").mkdir()
    program = f"""
from pathlib import Path
from tests.bench import contest
contest.HERE = Path({str(contest.HERE)!r})
with contest.open_team(contest.{echo(**{busy: "600"})!r}, Path({str(logs)!r})) as team:
    team.transcribe([Path("/1.ogg")])
"""
    with subprocess.Popen([sys.executable, "-c", program], cwd=PROJECT) as killed:
        wait_until(lambda: "noise" in "".join(log.read_text() for log in logs.iterdir()))
        ended = end_with(signal.SIGKILL, killed, logs, children=1)
    assert (ended.returncode, ended.processes) == (-signal.SIGKILL, [])


def test_an_interrupted_team_does_not_read_to_the_end(echo: Callable[..., Contestant], tmp_path: Path) -> None:
    begun = time.monotonic()
    with exit_on_signals(), open_team(echo(takes_s="60"), tmp_path) as one:
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()
        with pytest.raises(SystemExit):
            one.transcribe(files(2))
    assert time.monotonic() - begun < 30


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_usage_counts_the_memory_of_children_too(echo: Callable[..., Contestant], tmp_path: Path) -> None:
    with open_team(echo(processes=2), tmp_path) as two:
        parts = [process.usage().resident_mb for process in two.processes]
        assert all(part > 1 for part in parts)
        assert two.usage().resident_mb == pytest.approx(sum(parts), rel=0.1)


def test_what_a_contestant_prints_is_kept_out_of_its_answers(echo: Callable[..., Contestant], tmp_path: Path) -> None:
    with open_team(echo(), tmp_path):
        pass
    assert "noise that is no answer" in (tmp_path / "echo.log").read_text()
    assert json.dumps({"at_once": 1}) not in (tmp_path / "echo.log").read_text()
