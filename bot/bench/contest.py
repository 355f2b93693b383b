"""Contestants as processes: started, asked to read files, measured from outside, ended."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from bot.bench.usage import Usage, usage_of
from bot.config.settings import PROJECT

HERE = Path(__file__).parent
LAST_WORDS = 300


class ContestantFailed(Exception):
    """A contestant's process ended before it had answered; `str()` says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """What takes part: its file below `contestants`, its options, how many processes of it, and which Python.

    One that `may_fail` is left out where it does not open.
    """

    name: str
    file: str
    options: Mapping[str, str]
    processes: int = 1
    files_a_call: int = 1
    may_fail: bool = False
    python: str = sys.executable


@dataclass(frozen=True, slots=True)
class Run:
    """One reading of a set of files: seconds by the clock, seconds of processor time, and the texts."""

    wall_s: float
    cpu_s: float
    texts: list[str]


class Process:
    """One process of a contestant. Any number of threads may ask it."""

    def __init__(self, contestant: Contestant, log: Path) -> None:
        """Start it; `ready` tells when it is open."""
        self._name, self._log = contestant.name, log
        ours = {"PYTHONPATH": str(PROJECT)} if contestant.python == sys.executable else {}
        with log.open("ab") as errors:
            self._process = subprocess.Popen(  # noqa: S603 - our own files, in environments of our own making
                [contestant.python, "-P", str(HERE / "answering.py"), str(HERE / "contestants" / contestant.file),
                 json.dumps(dict(contestant.options))],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, env=os.environ | ours,
            )  # fmt: skip
        self._waiting: dict[int, Future[list[str]]] = {}
        self._lock = threading.Lock()
        self._at_once: Future[int] = Future()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def ready(self) -> int:
        """Wait until it is open, and give how many readings it runs at once.

        Raises:
            ContestantFailed: it ended.
        """
        return self._at_once.result()

    def read(self, files: Sequence[Path]) -> list[str]:
        """Give the texts of files.

        Raises:
            ContestantFailed: it ended.
        """
        answer: Future[list[str]] = Future()
        with self._lock:
            number = len(self._waiting)
            self._waiting[number] = answer
            self._ask(number, files)
        return answer.result()

    def usage(self) -> Usage:
        """Tell what it and its children use."""
        return usage_of(self._process.pid)

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        self._listener.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()

    def _ask(self, number: int, files: Sequence[Path]) -> None:
        question = json.dumps({"number": number, "files": [str(file) for file in files]})
        try:
            if self._process.stdin is not None:
                self._process.stdin.write(question + "\n")
                self._process.stdin.flush()
        except OSError as gone:
            raise self._failure() from gone

    def _listen(self) -> None:
        for line in self._process.stdout or ():
            answer = json.loads(line)
            if "at_once" in answer:
                self._at_once.set_result(answer["at_once"])
            else:
                self._waiting[answer["number"]].set_result(answer["texts"])
        if not self._at_once.done():
            self._at_once.set_exception(self._failure())
        for answer_due in self._waiting.values():
            if not answer_due.done():
                answer_due.set_exception(self._failure())

    def _failure(self) -> ContestantFailed:
        said = [line for line in self._log.read_text(errors="replace").splitlines() if line.strip()]
        reason = said[-1][:LAST_WORDS] if said else "it said nothing"
        return ContestantFailed(f"{self._name} failed: {reason}")


@dataclass(slots=True)
class Team:
    """All processes of one contestant."""

    contestant: Contestant
    processes: list[Process]
    slots: list[Process] = field(init=False)

    def __post_init__(self) -> None:
        """Wait until all are open."""
        self.slots = [process for process in self.processes for _ in range(process.ready())]

    def read(self, files: Sequence[Path]) -> Run:
        """Let the team read all files as fast as it can: whoever is free takes the next."""
        size = self.contestant.files_a_call
        calls = [files[start : start + size] for start in range(0, len(files), size)]
        waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in range(len(calls)):
            waiting.put(number)
        answers: dict[int, list[str]] = {}

        def work(process: Process) -> None:
            while True:
                try:
                    number = waiting.get_nowait()
                except queue.Empty:
                    return
                answers[number] = process.read(calls[number])

        before = self._cpu_s()
        begun = time.perf_counter()
        with ThreadPoolExecutor(len(self.slots)) as pool:
            list(pool.map(work, self.slots))
        wall_s = time.perf_counter() - begun
        texts = [text for number in range(len(calls)) for text in answers[number]]
        return Run(wall_s, self._cpu_s() - before, texts)

    def usage(self) -> Usage:
        """Tell what all its processes use together."""
        return sum((process.usage() for process in self.processes), Usage())

    def _cpu_s(self) -> float:
        return self.usage().cpu_s


@contextmanager
def team(contestant: Contestant, logs: Path) -> Iterator[Team]:
    """Start a contestant's processes one after the other, and end them afterwards."""
    log = logs / f"{contestant.file.removesuffix('.py')}.log"
    processes: list[Process] = []
    try:
        for _ in range(contestant.processes):
            processes.append(Process(contestant, log))
            processes[-1].ready()
        yield Team(contestant, processes)
    finally:
        for process in processes:
            process.close()
