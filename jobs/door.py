"""The interface of a door: where work comes in and its answer goes. Telegram is one; others implement the same."""

from pathlib import Path
from typing import Protocol

from engine import Transcript
from storage.note import Failure, Note


class RetryLater(Exception):
    """The note cannot be worked on or delivered now: it is put back, without counting as a try, and comes again."""

    def __init__(self, after_s: float = 0.0) -> None:
        """Ask to be retried not before `after_s` seconds."""
        self.after_s = after_s
        super().__init__(f"try again in {after_s:.0f} s")


class Undeliverable(Exception):
    """The answer can never reach whoever asked (such as a chat that is gone): the note is over."""


class Door(Protocol):
    """What a worker asks of a door.

    `done` and `failed` may come more than once for the same note and must then change nothing. Any method may raise
    `RetryLater`; `done` and `failed` may raise `Undeliverable`. Other exceptions of `done` and `failed` count as
    temporary. What fails for now is repeated with growing pauses for a day, a `fetch` that raises `RetryLater` as well.
    Exceptions of `progress` are logged and ignored.
    """

    @property
    def name(self) -> str:
        """The door's name, as its notes have it; a worker leaves those of other doors alone."""

    async def look_up(self, note: Note) -> None:
        """Read what the door keeps of a note; called in the transaction that claims it to be transcribed."""

    async def fetch(self, note: Note, folder: Path) -> Path:
        """Download the note's audio into `folder` and return its path.

        Raises:
            Fault: it cannot be had.
        """

    async def progress(self, note: Note, fraction: float) -> None:
        """Show how far the work has come, from 0 to 1. Called at most about once a second."""

    async def done(self, note: Note, transcript: Transcript) -> None:
        """Deliver the transcript."""

    async def failed(self, note: Note, failure: Failure) -> None:
        """Tell why there is no transcript; also for a note that was cancelled."""
