"""Stops this process when its parent exits, even by SIGKILL: standard input, a pipe from the parent, closes then."""

import os
import signal
import threading


def stop_when_parent_exits() -> None:
    """Send this process SIGTERM as soon as its standard input closes."""
    threading.Thread(target=_wait, name="parent-watch", daemon=True).start()


def _wait() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
