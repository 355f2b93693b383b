"""Runs contestants as child processes: starts them, has them transcribe files, measures their use, ends them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.bench.process_usage import Usage, usage_of
from bot.config.settings import PROJECT

HERE = Path(__file__).parent
LONGEST_REASON = 300


class ContestantFailed(Exception):
    """A contestant's process ended before it had answered; `str()` says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """What takes part: its file below `adapters`, its options, how many processes of it, and which Python.

    One that `may_fail` is left out where it does not load.
    """

    name: str
    file: str
    options: Mapping[str, str]
    processes: int = 1
    files_per_call: int = 1
    may_fail: bool = False
    python: str = sys.executable


@dataclass(frozen=True, slots=True)
class Run:
    """A set of files transcribed once: seconds by the clock, seconds of processor time, and the texts."""

    wall_s: float
    cpu_s: float
    texts: list[str]


class Process:
    """One child process of a contestant. Call it from one thread."""

    def __init__(self, contestant: Contestant, log: Path) -> None:
        """Start it; `wait_until_loaded` tells when it can be called."""
        self._name, self._log = contestant.name, log
        ours = {"TMPDIR": str(log.parent)}  # some leave files there
        if contestant.python == sys.executable:
            ours["PYTHONPATH"] = str(PROJECT)
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [contestant.python, "-P", str(HERE / "child.py"), str(HERE / "adapters" / contestant.file),
                 json.dumps(dict(contestant.options))],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, env=os.environ | ours,
                start_new_session=True,
            )  # fmt: skip
        self._answers: list[Future[list[str]]] = []
        self._calls_at_once: Future[int] = Future()
        self._has_ended = False
        self._lock = threading.Lock()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def wait_until_loaded(self) -> int:
        """Wait until it has loaded its model, and give how many calls it runs at once.

        Raises:
            ContestantFailed: it ended.
        """
        return self._calls_at_once.result()

    def transcribe(self, files: Sequence[Path]) -> Future[list[str]]:
        """Have it transcribe files; the texts will be in the future, or `ContestantFailed` where it ends."""
        answer: Future[list[str]] = Future()
        with self._lock:
            call = {"number": len(self._answers), "files": [str(file) for file in files]}
            self._answers.append(answer)
            if self._has_ended or self._process.stdin is None:
                answer.set_exception(self._failure())
                return answer
        with suppress(OSError):  # it is about to end, which the listener tells
            self._process.stdin.write(json.dumps(call) + "\n")
            self._process.stdin.flush()
        return answer

    def usage(self) -> Usage:
        """Give what it and its children use."""
        return usage_of(self._process.pid)

    def close(self) -> None:
        """End it, and what it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._listener.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()

    def _listen(self) -> None:
        for line in self._process.stdout or ():
            said = json.loads(line)
            if "at_once" in said:
                self._calls_at_once.set_result(said["at_once"])
            else:
                self._answers[said["number"]].set_result(said["texts"])
        with self._lock:
            self._has_ended = True
            waiting: list[Future[Any]] = [self._calls_at_once, *self._answers]
            for answer in (one for one in waiting if not one.done()):
                answer.set_exception(self._failure())

    def _failure(self) -> ContestantFailed:
        lines = [line for line in self._log.read_text(errors="replace").splitlines() if line.strip()]
        reason = lines[-1][:LONGEST_REASON] if lines else "it gave no reason"
        return ContestantFailed(f"{self._name} failed: {reason}")


@dataclass(slots=True)
class Team:
    """All processes of one contestant, loaded."""

    contestant: Contestant
    processes: list[Process]
    slots: list[Process] = field(init=False)
    """Each process as often as it runs calls at once."""

    def __post_init__(self) -> None:
        """Wait until all are loaded."""
        self.slots = [process for process in self.processes for _ in range(process.wait_until_loaded())]

    def transcribe(self, files: Sequence[Path]) -> Run:
        """Transcribe all files as fast as the processes can: the next goes to the first that is free.

        Raises:
            ContestantFailed: a process ended.
        """
        size = self.contestant.files_per_call
        free, answers = list(self.slots), []
        running: dict[Future[list[str]], Process] = {}
        cpu_s, begun = self.usage().cpu_s, time.perf_counter()
        for start in range(0, len(files), size):
            if not free:
                for answer in wait(running, return_when=FIRST_COMPLETED).done:
                    answer.result()
                    free.append(running.pop(answer))
            process = free.pop()
            answers.append(process.transcribe(files[start : start + size]))
            running[answers[-1]] = process
        texts = [text for answer in answers for text in answer.result()]
        return Run(time.perf_counter() - begun, self.usage().cpu_s - cpu_s, texts)

    def usage(self) -> Usage:
        """Give what all its processes use together."""
        return sum((process.usage() for process in self.processes), Usage())


@contextmanager
def open_team(contestant: Contestant, logs: Path) -> Iterator[Team]:
    """Start a contestant's processes one after the other, and end them afterwards; what they print goes to `logs`.

    Raises:
        ContestantFailed: a process ended before it had loaded its model.
    """
    log = logs / f"{contestant.file.removesuffix('.py')}.log"
    with ExitStack() as stack:
        processes = []
        for _ in range(contestant.processes):
            process = Process(contestant, log)
            stack.callback(process.close)
            process.wait_until_loaded()
            processes.append(process)
        yield Team(contestant, processes)
