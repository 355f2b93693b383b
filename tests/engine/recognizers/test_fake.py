import hashlib
import threading
import time

import numpy as np
import pytest

from engine.audio.samples import Audio
from engine.errors import Cancelled
from engine.recognizers.fake import FakeBackend
from engine.request import Progress, Request
from engine.transcript import Segment

NOISE = Audio(samples=np.random.default_rng(1).integers(-9_000, 9_000, 20_000, dtype="<i2"))


def test_the_answer_is_the_duration_and_the_hash() -> None:
    transcript = FakeBackend(0).transcribe(NOISE, Request(), on_progress=lambda _: None, cancelled=threading.Event())
    digest = hashlib.sha256(NOISE.samples.tobytes()).hexdigest()
    assert transcript.segments == (Segment(start=0, end=1.25, text=f"fake 1.2s {digest[:8]}"),)
    assert (transcript.language, transcript.duration, transcript.model) == ("", 1.25, "fake")


def test_it_takes_rtf_times_the_duration_and_reports_progress() -> None:
    seen: list[Progress] = []
    began = time.monotonic()
    FakeBackend(0.4).transcribe(NOISE, Request(language="ja"), on_progress=seen.append, cancelled=threading.Event())
    assert time.monotonic() - began >= 0.5
    assert [step.done_s for step in seen] == pytest.approx([1.25 / 3, 2.5 / 3, 1.25])


def test_cancelling_interrupts_the_sleep() -> None:
    cancelled = threading.Event()
    threading.Timer(0.1, cancelled.set).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        FakeBackend(100).transcribe(NOISE, Request(), on_progress=lambda _: None, cancelled=cancelled)
    assert time.monotonic() - began < 10


def test_a_transcription_cancelled_before_raises() -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(Cancelled):
        FakeBackend(0).transcribe(NOISE, Request(), on_progress=lambda _: None, cancelled=cancelled)
