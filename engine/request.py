"""The options of a transcription, and its progress."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.scripts import ChineseScript

ChannelMode = Literal["auto", "mix", "split"]
Speakers = Literal["off", "auto"] | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The options of one transcription.

    `language` None lets the model detect it, among `languages` if there are any. `itn` (inverse text normalization)
    lets models that have the choice write numbers as digits; `punctuation` False removes all marks. `correct` writes
    hotwords where the text only sounds like them. `speakers`, their number or "auto", names the speakers of audio with
    one channel.
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
