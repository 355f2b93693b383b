"""Starts `earshot ARGUMENTS…` quickly, by forking from a process that has imported everything."""

import asyncio
import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from bot.__main__ import run_program
from tests.forks import FORKS


class Program:
    """`earshot ARGUMENTS…` as a process of its own; its standard input closes when this process ends."""

    def __init__(self, process: ForkServerProcess) -> None:
        """Wrap a process that runs."""
        self._process = process
        self.pid = process.pid or 0

    @classmethod
    async def start(cls, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> "Program":
        """Start it; what it prints goes to `log`."""
        process = FORKS.Process(target=_run, args=(tuple(arguments), dict(environment), log))
        await asyncio.to_thread(process.start)
        return cls(process)

    @property
    def returncode(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.exitcode

    async def wait(self) -> None:
        """Wait until it ended."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        gone = os.dup(self._process.sentinel)  # of its own for everybody who waits
        loop.add_reader(gone, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(gone)
            os.close(gone)
        self._process.join()

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it ended."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def _run(arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    os.setsid()
    os.dup2(parent.sentinel, 0)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.environ.clear()
    os.environ.update(environment)
    sys.exit(run_program([*arguments]))
