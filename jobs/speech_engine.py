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
    """Return the request for the note: the defaults, with the note's own language if one was chosen for it."""
    return replace(defaults, language=note.language or defaults.language)


def options_hash(model: str, request: Request) -> str:
    """Hash all that a transcript depends on besides the audio; one is reused only where this is equal."""
    options = json.dumps([model, asdict(request)], sort_keys=True)
    return hashlib.sha256(options.encode()).hexdigest()[:32]
