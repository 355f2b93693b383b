"""A child process ends when its parent does, even one that was killed: its standard input, a pipe, closes then."""

import os
import signal
import threading


def end_with_parent() -> None:
    """Ask this process to end gracefully as soon as standard input closes."""
    threading.Thread(target=_wait, name="lifeline", daemon=True).start()


def _wait() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
