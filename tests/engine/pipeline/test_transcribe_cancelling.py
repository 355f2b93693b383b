"""Transcriptions that are cancelled, and a model that hangs."""

import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.audio.samples import Audio
from engine.errors import Cancelled
from engine.pipeline import fair_pool
from engine.pipeline.transcribe import RecognizedChunk, TranscriptionPipeline
from engine.request import Progress, Request
from engine.speakers.clustering import SpeakerEmbedding
from engine.vad.chunking import Region
from tests.engine.pipeline.loudness import SECOND, LoudnessRecognizer, recording


@dataclass
class Hanging(LoudnessRecognizer):
    """Does not return from its first chunk before it may."""

    started: threading.Event = field(default_factory=threading.Event)
    may_end: threading.Event = field(default_factory=threading.Event)

    def recognize(self, samples: NDArray[np.int16], request: Request) -> RecognizedChunk:
        self.started.set()
        assert self.may_end.wait(60)
        return super().recognize(samples, request)


def test_a_backend_whose_model_hangs_is_blocked_after_cancelling_and_stuck_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = Hanging()
    backend = TranscriptionPipeline("hanging", ("en",), model)
    cancelled = threading.Event()
    errors: list[type[BaseException]] = []

    def run() -> None:
        with pytest.raises(Cancelled) as raised:
            backend.transcribe(
                Audio(samples=recording(2_000)), Request(), on_progress=lambda _: None, cancelled=cancelled
            )
        errors.append(raised.type)

    thread = threading.Thread(target=run)
    thread.start()
    assert model.started.wait(60)
    while not backend.running_s(cancelled):
        time.sleep(0.001)
    assert (backend.is_blocked, backend.is_stuck) == (False, False)
    cancelled.set()
    thread.join()
    assert errors == [Cancelled]
    assert (backend.is_blocked, backend.is_stuck) == (True, False)
    assert backend.running_s(cancelled) == 0.0
    monkeypatch.setattr(fair_pool, "STUCK_AFTER_S", -1.0)
    assert backend.is_stuck
    model.may_end.set()


def test_cancelling_stops_before_the_next_chunk() -> None:
    cancelled = threading.Event()
    model = LoudnessRecognizer()

    def cancel_after_the_first(progress: Progress) -> None:
        if progress.text:
            cancelled.set()

    backend = TranscriptionPipeline("loudness", ("en",), model)
    with pytest.raises(Cancelled):
        backend.transcribe(
            Audio(samples=recording(*([2_000, 0, 0] * 30))),
            Request(),
            on_progress=cancel_after_the_first,
            cancelled=cancelled,
        )
    assert len(model.languages_heard) <= 5, "a few may be read ahead"


def test_cancelling_stops_a_long_silence_too() -> None:
    cancelled = threading.Event()
    cancelled.set()
    backend = TranscriptionPipeline("loudness", ("en",), LoudnessRecognizer())
    with pytest.raises(Cancelled):
        backend.transcribe(
            Audio(samples=recording(*[0] * 100)), Request(), on_progress=lambda _: None, cancelled=cancelled
        )


def test_cancelling_stops_before_both_channels_are_compared() -> None:
    class Hasty(LoudnessRecognizer):
        def detect_speech(self, blocks: Iterable[NDArray[np.int16]]) -> Iterator[Region]:
            raise AssertionError(blocks)

    cancelled = threading.Event()
    cancelled.set()
    backend = TranscriptionPipeline("loudness", ("en",), Hasty())
    with pytest.raises(Cancelled):
        backend.transcribe(
            Audio(samples=np.zeros((SECOND, 2), "<i2")), Request(), on_progress=lambda _: None, cancelled=cancelled
        )


def test_cancelling_stops_the_clustering_of_speakers() -> None:
    cancelled = threading.Event()

    def cancel_at_the_end(progress: Progress) -> None:
        if progress.text:
            cancelled.set()

    rows = np.eye(500, dtype=np.float32)
    says = RecognizedChunk("a", "en", embeddings=tuple(SpeakerEmbedding(0.5, row) for row in rows))
    backend = TranscriptionPipeline("loudness", ("en",), LoudnessRecognizer(says=says))
    with pytest.raises(Cancelled):
        backend.transcribe(
            Audio(samples=recording(2_000)), Request(), on_progress=cancel_at_the_end, cancelled=cancelled
        )
