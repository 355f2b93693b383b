"""Turns SIGTERM and SIGINT into SystemExit, so that temporary folders and child processes are cleaned up."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def exit_on_signals() -> Iterator[None]:
    """Raise SystemExit(128 + signal), as shells expect, at the first signal; more do not disturb the cleaning up."""

    def stop(number: int, _: FrameType | None) -> NoReturn:
        for one in SIGNALS:
            signal.signal(one, signal.SIG_IGN)
        sys.exit(128 + number)

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
