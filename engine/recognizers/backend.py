"""The interface of a loaded recognition model, whatever its family."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from engine.audio.samples import Audio
from engine.request import Progress, Request
from engine.transcript import Transcript


class Backend(Protocol):
    """A loaded recognition model."""

    @property
    def name(self) -> str:
        """The model's name, as users see it and transcripts keep it."""

    @property
    def languages(self) -> tuple[str, ...]:
        """The language codes that can be asked for; empty where the model does not list them."""

    @property
    def notes_at_once(self) -> int:
        """How many recordings to transcribe at the same time, so that no core is idle."""

    @property
    def is_stuck(self) -> bool:
        """Tell whether the model hangs, so that only a new process helps."""

    @property
    def is_blocked(self) -> bool:
        """Tell whether only cancelled transcriptions are running, so that nothing new can start."""

    def running_s(self, cancelled: threading.Event) -> float | None:
        """Give for how many seconds the model has worked on the chunk that the transcription with this event waits for.

        None: the chunk is still queued. 0: the transcription waits for no chunk.
        """

    def transcribe(
        self, audio: Audio, request: Request, *, on_progress: Callable[[Progress], None], cancelled: threading.Event
    ) -> Transcript:
        """Transcribe a recording. Blocks.

        Raises:
            Cancelled: soon after `cancelled` was set.
        """
