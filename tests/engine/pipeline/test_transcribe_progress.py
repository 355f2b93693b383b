"""What is told while a recording is transcribed."""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from engine.pipeline.transcribe import RecognizedChunk
from engine.request import ChannelMode, Request
from engine.vad.chunking import Region
from tests.engine.pipeline.loudness import SECOND, LoudnessRecognizer, recording, transcribe

levels = st.sampled_from([0, 2_000, 12_000, 30_000])
stretches = st.lists(st.tuples(levels, st.integers(1, 25)), max_size=4)


@dataclass
class Patient(LoudnessRecognizer):
    """Begins to read when the whole recording has been looked through."""

    looked_through: threading.Event = field(default_factory=threading.Event)

    def detect_speech(self, blocks: Iterable[NDArray[np.int16]]) -> Iterator[Region]:
        yield from super().detect_speech(blocks)
        self.looked_through.set()

    def recognize(self, samples: NDArray[np.int16], request: Request) -> RecognizedChunk:
        assert self.looked_through.wait(10)
        return super().recognize(samples, request)


def test_progress_never_goes_back_and_ends_with_all_the_text() -> None:
    transcript, progress = transcribe(recording(*([2_000, 0, 0] * 30)))
    done = [step.done_s for step in progress]
    assert done == sorted(done)
    assert {step.total_s for step in progress} == {90}
    assert progress[-1].text == " ".join(found.text for found in transcript.segments)
    assert any(0 < step.done_s < 60 and step.text for step in progress)


def test_speech_counts_as_done_only_when_it_is_recognized() -> None:
    _, progress = transcribe(
        recording(0, *[2_000] * 100, *[0] * 39), model=Patient(max_chunk_s=60, max_parallel_chunks=3)
    )
    assert {step.done_s for step in progress if not step.text} <= {0}
    assert [step.done_s for step in progress][-2:] == [101, 140]


def test_silence_counts_as_done_when_it_is_detected() -> None:
    _, progress = transcribe(recording(*[0] * 75))
    assert [step.done_s for step in progress] == [10, 20, 30, 40, 50, 60, 70, 75]


def test_silence_counts_as_done_after_the_speech_before_it() -> None:
    _, progress = transcribe(recording(0, 2_000, *[0] * 31), model=Patient())
    assert [(step.done_s, step.text) for step in progress] == [
        *[(0, "")] * 3,
        (2, "level 2000"),
        (33, "level 2000"),
    ]


def test_silence_of_one_channel_only_does_not_count_as_done() -> None:
    _, progress = transcribe(
        np.stack([recording(*[0] * 50), recording(*[0] * 5, *[2_000] * 45)], axis=1), Request(channels="split")
    )
    assert {step.done_s for step in progress if not step.text} <= {0}
    assert progress[-1].done_s == 50


@settings(deadline=None, max_examples=50)
@given(stretches, stretches, st.sampled_from(["mix", "split"]), st.integers(1, 3))
def test_progress_never_runs_ahead_of_the_text(
    left: list[tuple[int, int]], right: list[tuple[int, int]], channels: ChannelMode, max_parallel_chunks: int
) -> None:
    sounds = [recording(*(level for level, length in side for _ in range(length))) for side in (left, right)]
    length = max(map(len, sounds))
    stereo = np.stack([np.pad(sound, (0, length - len(sound))) for sound in sounds], axis=1)
    transcript, progress = transcribe(
        stereo, Request(channels=channels), LoudnessRecognizer(max_parallel_chunks=max_parallel_chunks)
    )
    done = [step.done_s for step in progress]
    assert done == sorted(done)
    assert done[-1] == length / SECOND
    for step in progress:
        read = [found for found in transcript.segments if found.start < step.done_s]
        assert step.text.startswith(" ".join(found.text for found in read))
