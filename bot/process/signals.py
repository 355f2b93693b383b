"""A signal to stop that comes while a program still starts: nothing is under way that would need an end."""

import os
import signal


def exit_on_signal_until_ready() -> None:
    """Exit with 0 on SIGTERM and SIGINT, until the program puts handlers of its own in their place.

    Loading a model or fetching one takes minutes in a thread, which no gentler way to exit would interrupt.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
