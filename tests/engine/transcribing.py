"""Transcribes a file the short way, and measures what came out."""

import re
import threading
from pathlib import Path

from engine.request import ChannelMode
from engine.speech import Engine, Request
from engine.transcript import Transcript


def transcribe(
    engine: Engine,
    path: Path,
    *,
    language: str | None = None,
    channels: ChannelMode = "auto",
    hotwords: tuple[str, ...] = (),
) -> Transcript:
    request = Request(language=language, channels=channels, hotwords=hotwords)
    return engine.transcribe(engine.decode(path), request, on_progress=lambda _: None, cancelled=threading.Event())


def text_of(transcript: Transcript) -> str:
    return " ".join(segment.text for segment in transcript.segments)


def words(text: str) -> list[str]:
    plain = text.lower().replace("mr.", "mister").replace("-", " ")
    return re.sub(r"[^\w' ]", " ", plain).split()
