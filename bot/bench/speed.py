"""How fast the engine reads one voice note, many together and a long recording, and how much memory that takes.

Knows neither Telegram nor the queue: files in, texts out, within one worker's process.
"""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from bot.bench.process_usage import Usage, usage_of
from bot.bench.report import Line
from bot.bench.speech_samples import draw_lengths, write_recordings
from engine import Engine, Request

NOTE_S = 10.0
NOTE_READINGS = 5
USAGE_EVERY_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What is read: a recording of speech to cut notes from, how many notes, seconds of the long recording."""

    recording: Path
    notes: int
    long_s: float


@dataclass(slots=True)
class Reading:
    """Some files read together: seconds by the clock, how many had no text, memory of the process meanwhile."""

    wall_s: float = 0.0
    without_text: int = 0
    usage: list[Usage] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SpeedTest:
    """Reads files as a worker does, with the requests that a worker makes."""

    engine: Engine
    request: Request
    tell: Callable[[str], None]

    def measure(self, workload: Workload, folder: Path) -> Iterator[Line]:
        """Measure one note, many notes and a long recording, made in `folder`; the first reading only warms up."""
        loaded = usage_of(os.getpid())
        speech = self.engine.decode(workload.recording).samples
        [note] = write_recordings(speech, [NOTE_S], folder / "note")
        self.read([note] * self.engine.notes_at_once)
        yield from self._one_note(note)
        lengths = draw_lengths(workload.notes)
        yield from self._many_notes(lengths, write_recordings(speech, lengths, folder / "notes"), loaded)
        if workload.long_s:
            [long] = write_recordings(speech, [workload.long_s], folder / "long")
            yield from self._long_recording(long, workload.long_s)

    def _one_note(self, note: Path) -> Iterator[Line]:
        self.tell(f"one note of {NOTE_S:.0f} s, {NOTE_READINGS} times")
        took_s = statistics.median(self.read([note]).wall_s for _ in range(NOTE_READINGS))
        yield Line(figure="one note", what=f"{NOTE_S:.0f} s of speech, file to text", value=took_s, unit="s")
        yield Line(figure="one note", what="RTF", value=took_s / NOTE_S, unit="")

    def _many_notes(self, lengths: Sequence[float], files: Sequence[Path], loaded: Usage) -> Iterator[Line]:
        self.tell(f"{len(lengths)} notes, {sum(lengths):.0f} s in all, {self.engine.notes_at_once} at a time")
        reading = self.read(files)
        speed = sum(lengths) / reading.wall_s
        yield Line(figure="many notes", what="throughput", value=speed, unit="s of sound a second")
        yield Line(figure="many notes", what="RTF", value=1 / speed, unit="")
        yield Line(figure="many notes", what="notes without text", value=reading.without_text, unit="")
        yield from _memory(loaded, reading.usage)

    def _long_recording(self, recording: Path, seconds: float) -> Iterator[Line]:
        self.tell(f"one recording of {seconds:.0f} s")
        reading = self.read([recording])
        yield Line(figure="long recording", what="RTF", value=reading.wall_s / seconds, unit="")
        if reading.usage[-1].anonymous_mb:  # this system tells
            what = "growth from its second to its last quarter"
            yield Line(figure="memory", what=f"long recording: {what}", value=memory_growth(reading.usage), unit="MB")

    def read(self, files: Sequence[Path]) -> Reading:
        """Read files, as many at a time as suit the model. An exception that comes meanwhile stops the reading."""
        reading, cancelled = Reading(), threading.Event()
        pool = ThreadPoolExecutor(self.engine.notes_at_once)
        try:
            begun = time.perf_counter()
            waiting = {pool.submit(self._has_text, file, cancelled) for file in files}
            done = set(waiting)
            while waiting:
                _, waiting = wait(waiting, timeout=USAGE_EVERY_S)
                reading.usage.append(usage_of(os.getpid()))
            reading.wall_s = time.perf_counter() - begun
            reading.without_text = sum(not one.result() for one in done)
        finally:
            cancelled.set()
            pool.shutdown(wait=False, cancel_futures=True)
        return reading

    def _has_text(self, file: Path, cancelled: threading.Event) -> bool:
        audio = self.engine.decode(file, cancelled)
        read = self.engine.transcribe(audio, self.request, on_progress=lambda _: None, cancelled=cancelled)
        return any(segment.text for segment in read.segments)


def _memory(loaded: Usage, busy: Sequence[Usage]) -> Iterator[Line]:
    if not loaded.resident_mb:  # this system does not tell
        return
    yield Line(figure="memory", what="highest while loading", value=loaded.peak_mb, unit="MB")
    yield Line(figure="memory", what="loaded", value=loaded.resident_mb, unit="MB")
    yield Line(figure="memory", what="many notes", value=max(usage.resident_mb for usage in busy), unit="MB")


def memory_growth(usage: Sequence[Usage]) -> float:
    """Give by how many MB the highest memory of the last quarter exceeds that of the second; the first warms up."""
    quarter = max(1, len(usage) // 4)
    seen = [one.anonymous_mb for one in usage]
    return max(seen[-quarter:]) - max(seen[quarter : 2 * quarter] or seen[:quarter])
