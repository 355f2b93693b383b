"""The speech engine as workers see it, and the request that is made of it for a note."""

import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Protocol

from engine import Audio, Progress, Request, Transcript
from storage.note import Note


class SpeechEngine(Protocol):
    """The part of `engine.speech.Engine` that workers use."""

    @property
    def model(self) -> str:
        """The model's name."""

    @property
    def notes_at_once(self) -> int:
        """How many notes a worker should take at the same time."""

    @property
    def is_stuck(self) -> bool:
        """Whether only a new process can go on."""

    @property
    def is_blocked(self) -> bool:
        """Whether a new note would only wait for work that nobody wants any more."""

    def running_s(self, cancelled: threading.Event) -> float | None:
        """Return for how long the model has been at this recording, None while others have their turn before it."""

    def decode(self, path: Path, cancelled: threading.Event | None = None) -> Audio:
        """Decode a file. Blocks, and checks `cancelled` often; threads may call it at the same time."""

    def transcribe(
        self, audio: Audio, request: Request, *, on_progress: Callable[[Progress], None], cancelled: threading.Event
    ) -> Transcript:
        """Transcribe. Blocks, and checks `cancelled` often; threads may call it at the same time."""


def request_for(note: Note, defaults: Request) -> Request:
    """Return the request for the note: the defaults, but for what was asked for it."""
    return replace(defaults, **note.request)  # type: ignore[arg-type]  # by the names of `Request`


def options_of(note: Note, model: str, defaults: Request) -> str:
    """Return the hash of the options that the note is transcribed with."""
    return options_hash(model, request_for(note, defaults))


def options_hash(model: str, request: Request) -> str:
    """Hash all that a transcript depends on besides the audio; one is reused only where this is equal."""
    options = json.dumps([model, asdict(request)], sort_keys=True)
    return hashlib.sha256(options.encode()).hexdigest()[:32]
