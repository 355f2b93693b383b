"""An engine that does what a test tells it, around the fake one."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from engine.audio.samples import Audio
from engine.request import Progress, Request
from engine.transcript import Transcript
from jobs.speech_engine import SpeechEngine


@dataclass
class Listening:
    """Keeps what it was asked for, and calls `before` before it transcribes."""

    inner: SpeechEngine
    before: Callable[[threading.Event], object] = lambda _: None
    requests: tuple[Request, ...] = ()
    decoding: threading.Event = field(default_factory=threading.Event)
    model: str = "fake"
    notes_at_once: int = 1
    is_stuck: bool = False
    is_blocked: bool = False

    def running_s(self, cancelled: threading.Event) -> float | None:
        return self.inner.running_s(cancelled)

    def decode(self, path: Path, cancelled: threading.Event | None = None) -> Audio:
        self.decoding.set()
        return self.inner.decode(path, cancelled)

    def transcribe(
        self, audio: Audio, request: Request, *, on_progress: Callable[[Progress], None], cancelled: threading.Event
    ) -> Transcript:
        self.requests = (*self.requests, request)
        self.before(cancelled)
        return self.inner.transcribe(audio, request, on_progress=on_progress, cancelled=cancelled)
