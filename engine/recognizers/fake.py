"""A backend without a model, for tests and for measuring the queue: its text is the duration and hash of the audio."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from engine.audio.samples import Audio
from engine.errors import Cancelled
from engine.hub.catalogue import FAKE_MODEL
from engine.request import Progress, Request
from engine.transcript import Segment, Transcript

STEP_S = 0.2
HASH_DIGITS = 8


@dataclass(frozen=True, slots=True)
class FakeBackend:
    """Sleeps `rtf` times the audio's duration, then answers with that duration and the start of the audio's digest."""

    rtf: float
    name: ClassVar[str] = FAKE_MODEL
    languages: ClassVar[tuple[str, ...]] = ("zh", "en", "yue", "ja", "ko")
    notes_at_once: ClassVar[int] = 1
    is_stuck: ClassVar[bool] = False
    is_blocked: ClassVar[bool] = False

    def running_s(self, cancelled: threading.Event) -> float:  # noqa: ARG002 - as all backends
        """Give 0: nothing is ever queued, all recordings sleep at the same time."""
        return 0.0

    def transcribe(
        self, audio: Audio, request: Request, *, on_progress: Callable[[Progress], None], cancelled: threading.Event
    ) -> Transcript:
        """Sleep, then answer `fake <seconds>s <hash>`.

        Raises:
            Cancelled: `cancelled` was set.
        """
        steps = max(1, math.ceil(self.rtf * audio.duration / STEP_S))
        text = f"fake {audio.duration:.1f}s {audio.digest[:HASH_DIGITS]}"
        for step in range(1, steps + 1):
            if cancelled.wait(self.rtf * audio.duration / steps) or cancelled.is_set():
                raise Cancelled
            done_s = audio.duration * step / steps
            on_progress(Progress(done_s=done_s, total_s=audio.duration, text=text if step == steps else ""))
        return Transcript(
            language=request.language or "",
            duration=audio.duration,
            segments=(Segment(start=0.0, end=audio.duration, text=text),),
            model=self.name,
        )
