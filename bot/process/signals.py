"""Exits immediately on a stop signal that arrives while the program still starts."""

import os
import signal


def exit_on_signal_until_ready() -> None:
    """Exit with code 0 on SIGTERM and SIGINT, until the program installs its own handlers.

    A thread that loads or downloads a model for minutes cannot be interrupted in another way.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
