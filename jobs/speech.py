"""What a worker needs of the engine, and what is asked of it for a note."""

import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Protocol

from engine import Audio, Progress, Request, Transcript
from storage.note import Note


class Speech(Protocol):
    """The part of `engine.speech.Engine` that workers use."""

    @property
    def model(self) -> str:
        """The model's name."""

    @property
    def notes_at_once(self) -> int:
        """How many notes a worker should take at the same time."""

    @property
    def is_stuck(self) -> bool:
        """Tell whether only a new process can go on."""

    @property
    def is_blocked(self) -> bool:
        """Tell whether a new note would only wait for what nobody wants any more."""

    def running_s(self, cancelled: threading.Event) -> float | None:
        """Tell for how long the model has been at what is waited for, None where others have their turn before it."""

    def decode(self, path: Path, cancelled: threading.Event | None = None) -> Audio:
        """Decode a file. Blocks, and looks at `cancelled` again and again; threads may call it at the same time."""

    def transcribe(
        self, audio: Audio, request: Request, *, on_progress: Callable[[Progress], None], cancelled: threading.Event
    ) -> Transcript:
        """Transcribe. Blocks, and looks at `cancelled` again and again; threads may call it at the same time."""


def request_for(note: Note, defaults: Request) -> Request:
    """Give what is asked for the note: its own wishes before the defaults, its hotwords beside the common ones."""
    return replace(
        defaults,
        language=note.language or defaults.language,
        hotwords=tuple(dict.fromkeys((*note.hotwords, *defaults.hotwords))),
    )


def options_of(model: str, request: Request) -> str:
    """Name all that a transcript depends on besides the sound, so that one is used again only for an equal request."""
    options = json.dumps([model, asdict(request)], sort_keys=True)
    return hashlib.sha256(options.encode()).hexdigest()[:32]
