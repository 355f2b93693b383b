"""Earshot itself, as its worker process has it: everything loaded that a worker loads, a file in and its text out."""

import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from engine.scripts import join_texts
from engine.settings import EngineSettings
from engine.speech import Engine, Request


def load(options: dict[str, str]) -> tuple[int, Callable[[list[str]], list[str]]]:
    """Open the engine."""
    import_module("bot.process.worker")
    engine = Engine.open(EngineSettings.model_validate(options))

    def transcribe(files: list[str]) -> list[str]:
        return [text(engine, Path(file)) for file in files]

    return engine.notes_at_once, transcribe


def text(engine: Engine, file: Path) -> str:
    """Transcribe one file."""
    transcript = engine.transcribe(
        engine.decode(file), Request(), on_progress=lambda _: None, cancelled=threading.Event()
    )
    return join_texts([segment.text for segment in transcript.segments])
