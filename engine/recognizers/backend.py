"""What the engine needs of a loaded recognition model, whatever its family."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from engine.audio.samples import Audio
from engine.request import Progress, Request
from engine.transcript import Transcript


class Backend(Protocol):
    """A loaded model, of whatever kind."""

    @property
    def name(self) -> str:
        """What people call the model."""

    @property
    def languages(self) -> tuple[str, ...]:
        """The codes that can be asked for."""

    @property
    def notes_at_once(self) -> int:
        """How many recordings are best transcribed at the same time."""

    @property
    def is_stuck(self) -> bool:
        """Tell whether only a new process can go on."""

    @property
    def is_blocked(self) -> bool:
        """Tell whether nothing new can be read until what nobody wants any more has ended."""

    def running_s(self, cancelled: threading.Event) -> float | None:
        """Tell for how long the model has been at what is waited for, None where others have their turn before it."""

    def transcribe(
        self, audio: Audio, request: Request, *, on_progress: Callable[[Progress], None], cancelled: threading.Event
    ) -> Transcript:
        """Find and read the speech; raise Cancelled soon after `cancelled` is set."""
