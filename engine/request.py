"""What a transcription is asked for and how it tells its progress; what every backend has to offer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from engine.audio.samples import Audio
from engine.text.normalize import Chinese
from engine.transcript import Transcript

ChannelMode = Literal["auto", "mix", "split"]
Speakers = Literal["off", "auto"] | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """How a recording is to be transcribed.

    `language` None leaves it to the model, which chooses among `languages` only, where there are any. `itn` tells
    models that can choose to write numbers as digits, not in words; `punctuation` False takes the marks away.
    `correct` puts hotwords where the text only sounds like them; `speakers`, how many there are or "auto", tells them
    apart in sound of one channel.
    """

    language: str | None = None
    languages: tuple[str, ...] = ()
    hotwords: tuple[str, ...] = ()
    channels: ChannelMode = "auto"
    itn: bool = True
    punctuation: bool = True
    chinese: Chinese = "as spoken"
    correct: bool = False
    speakers: Speakers = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a transcription has come, and its text so far."""

    done_s: float
    total_s: float
    text: str


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

    def turn_s(self, cancelled: threading.Event) -> float | None:
        """Tell for how long the model has been at what is waited for, None where others have their turn before it."""

    def transcribe(
        self, audio: Audio, request: Request, *, on_progress: Callable[[Progress], None], cancelled: threading.Event
    ) -> Transcript:
        """Find and read the speech; raise Cancelled soon after `cancelled` is set."""
