"""Turns SIGTERM and SIGINT into an exception, so that temporary folders and child processes are cleaned up."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGTERM, signal.SIGINT)
SHELL_OFFSET = 128


class Terminated(BaseException):
    """A signal asked this program to end."""

    def __init__(self, number: int) -> None:
        """Keep which one."""
        super().__init__(signal.Signals(number).name)
        self.exit_code = SHELL_OFFSET + number
        """What shells expect of a program that a signal ended."""


@contextmanager
def raise_on_signals() -> Iterator[None]:
    """Raise `Terminated` in the main thread at the first signal; further ones do not disturb the cleaning up."""

    def stop(number: int, _: FrameType | None) -> NoReturn:
        for one in SIGNALS:
            signal.signal(one, signal.SIG_IGN)
        raise Terminated(number)

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
