"""The options of a transcription, and its progress."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.scripts import ChineseScript

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
    chinese: ChineseScript = "as spoken"
    correct: bool = False
    speakers: Speakers = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a transcription has come, and its text so far."""

    done_s: float
    total_s: float
    text: str
