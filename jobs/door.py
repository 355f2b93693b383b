"""Where work comes in and where its answer goes. The chat is one door; another is another implementation of this."""

from pathlib import Path
from typing import Protocol

from engine import Transcript
from storage.note import Failure, Note


class NotNow(Exception):
    """A door cannot be used at the moment: the job is put back, without counting as a try, and comes again."""

    def __init__(self, after_s: float) -> None:
        """Ask to be tried again after `after_s` seconds."""
        self.after_s = after_s
        super().__init__(f"try again in {after_s:.0f} s")


class Undeliverable(Exception):
    """The answer can never reach whoever asked (the chat is gone or closed to us): the job is over."""


class Door(Protocol):
    """What a worker asks of a door.

    `done` and `failed` may come more than once for the same note and must then change nothing. Any method may raise
    `NotNow`; `done` and `failed` may raise `Undeliverable`. Other exceptions of `done` and `failed` count as passing
    trouble and are tried again with growing pauses; those of `progress` are logged and forgotten.
    """

    async def fetch(self, note: Note, folder: Path) -> Path:
        """Bring the note's audio into `folder`.

        Raises:
            Fault: it cannot be had.
        """

    async def progress(self, note: Note, fraction: float) -> None:
        """Tell how far the work has come, from 0 to 1. Called at most about once a second."""

    async def done(self, note: Note, transcript: Transcript) -> None:
        """Hand over the transcript."""

    async def failed(self, note: Note, failure: Failure) -> None:
        """Tell why there is no transcript; also for a note that was cancelled."""
