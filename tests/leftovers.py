"""Ends a program with a signal, and tells which processes and files it leaves behind."""

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bot.bench.process_usage import PROC, descendants

WAIT_S = 60
POLL_S = 0.05


@dataclass(frozen=True)
class Ended:
    """How a program ended, which of its child processes still run, and what is left of its temporary files."""

    returncode: int
    processes: list[int]
    files: list[str]


def end_with(number: int, program: "subprocess.Popen[bytes]", tmp: Path, children: int) -> Ended:
    """Send the signal as soon as the program has so many children, and wait until it and they have ended."""
    wait_until(lambda: len(list(descendants(program.pid))) >= children or program.poll() is not None)
    started = list(descendants(program.pid))
    assert len(started) >= children
    program.send_signal(number)
    returncode = program.wait(WAIT_S)
    wait_until(lambda: not any(map(is_running, started)), seconds=10)
    return Ended(returncode, list(filter(is_running, started)), [path.name for path in tmp.iterdir()])


def is_running(pid: int) -> bool:
    """Tell whether a process is there and no zombie."""
    try:
        return bool((PROC / str(pid) / "cmdline").read_bytes())
    except OSError:
        return False


def wait_until(is_so: Callable[[], bool], seconds: float = WAIT_S) -> None:
    """Wait until something is so, or the time is up."""
    ends = time.monotonic() + seconds
    while not is_so() and time.monotonic() < ends:
        time.sleep(POLL_S)
