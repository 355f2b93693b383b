"""A recognizer that hears how loud a recording is, and recordings for it."""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.audio.samples import Audio
from engine.pipeline.transcribe import RecognizedChunk, TranscriptionPipeline
from engine.request import Progress, Request
from engine.transcript import Transcript
from engine.vad.chunking import Region

SECOND = 16_000
SILENCE_S = 10


@dataclass
class LoudnessRecognizer:
    """A recognizer that takes whole seconds of loud sound for speech, and reads how loud it is.

    Of silence it tells every ten seconds.
    """

    max_chunk_s: float = 20
    preferred_chunk_s: float = 5
    max_parallel_chunks: int = 1
    languages_heard: list[str | None] = field(default_factory=list)
    hotwords_heard: list[tuple[str, ...]] = field(default_factory=list)
    says: RecognizedChunk | None = None

    def detect_speech(self, blocks: Iterable[NDArray[np.int16]]) -> Iterator[Region]:
        start: int | None = None
        second = quiet = 0
        for block in blocks:
            for loud in np.abs(block.reshape(-1, SECOND)).max(axis=1) > 1_000:
                if loud and start is None:
                    start = second
                if not loud and start is not None:
                    yield Region(start * SECOND, second * SECOND)
                    start = None
                    quiet = second
                second += 1
                if start is None and second - quiet == SILENCE_S:
                    quiet = second
                    yield Region(second * SECOND, second * SECOND)
        if start is not None:
            yield Region(start * SECOND, second * SECOND)

    def recognize(self, samples: NDArray[np.int16], request: Request) -> RecognizedChunk:
        self.languages_heard.append(request.language)
        self.hotwords_heard.append(request.hotwords)
        if self.says:
            return self.says
        level = int(np.abs(samples).max())
        return RecognizedChunk("" if level > 20_000 else f"level {level}", "en" if level < 10_000 else "de")


def recording(*levels: int) -> NDArray[np.int16]:
    """Make a second of sound for each level."""
    return np.repeat(np.array(levels, "<i2"), SECOND)


def transcribe(
    samples: NDArray[np.int16], request: Request | None = None, model: LoudnessRecognizer | None = None
) -> tuple[Transcript, list[Progress]]:
    """Give the transcript of a recording, and all that was told of the progress."""
    progress: list[Progress] = []
    backend = TranscriptionPipeline("loudness", ("en", "de"), model or LoudnessRecognizer())
    transcript = backend.transcribe(
        Audio(samples=samples), request or Request(), on_progress=progress.append, cancelled=threading.Event()
    )
    return transcript, progress
