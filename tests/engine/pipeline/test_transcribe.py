from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from engine.pipeline.transcribe import RecognizedChunk, TranscriptionPipeline
from engine.request import ChannelMode, Request
from engine.transcript import Segment, Word
from engine.vad.chunking import Region
from tests.engine.pipeline.loudness import SECOND, LoudnessRecognizer, recording, transcribe


def test_each_region_becomes_a_segment_with_its_own_times() -> None:
    transcript, _ = transcribe(recording(0, 2_000, 0, 0, 3_000, 3_000, 0))
    assert [(found.start, found.end, found.text) for found in transcript.segments] == [
        (1, 2, "level 2000"),
        (4, 6, "level 3000"),
    ]
    assert (transcript.duration, transcript.model, transcript.language) == (7, "loudness", "en")


def test_silence_has_no_segments_and_no_language() -> None:
    transcript, _ = transcribe(recording(0, 0, 0))
    assert (transcript.segments, transcript.language) == ((), "")


def test_text_and_words_are_normalized_as_requested() -> None:
    model = LoudnessRecognizer(
        says=RecognizedChunk("<|zh|>我的头发,OK。", "zh", (Word(start=1 / 3, end=2 / 3, text="我的头发,OK。"),))
    )
    plain = Request(punctuation=False, chinese="traditional")
    transcript, progress = transcribe(recording(0, 2_000, 0), plain, model)
    (segment,) = transcript.segments
    assert segment.text == progress[-1].text == "我的頭髮 OK"
    assert segment.words == (Word(start=1.033, end=1.367, text="我的頭髮 OK"),)


def test_a_region_without_words_leaves_no_segment() -> None:
    transcript, _ = transcribe(recording(0, 30_000, 0, 0, 2_000))
    assert [found.text for found in transcript.segments] == ["level 2000"]


def test_near_regions_are_recognized_as_one_chunk() -> None:
    transcript, _ = transcribe(recording(2_000, 0, 3_000, 0, 0, 4_000))
    assert [(found.start, found.end) for found in transcript.segments] == [(0, 3), (5, 6)]


def test_a_long_region_is_split_into_chunks_that_lose_nothing() -> None:
    transcript, _ = transcribe(recording(*[2_000] * 100))
    assert len(transcript.segments) >= 6
    assert transcript.segments[0].start == 0
    assert transcript.segments[-1].end == 100
    for earlier, later in zip(transcript.segments, transcript.segments[1:], strict=False):
        assert earlier.end == later.start
        assert later.end - later.start <= 20


def test_the_language_is_the_one_spoken_longest() -> None:
    transcript, _ = transcribe(recording(2_000, 0, 0, 12_000, 12_000, 12_000, 0, 0, 2_000))
    assert transcript.language == "de"


def test_a_requested_language_is_passed_to_the_recognizer_and_kept() -> None:
    model = LoudnessRecognizer()
    transcript, _ = transcribe(recording(2_000), Request(language="de"), model)
    assert (transcript.language, model.languages_heard) == ("de", ["de"])


def test_only_safe_hotwords_are_passed_to_the_recognizer() -> None:
    model = LoudnessRecognizer()
    transcribe(recording(2_000), Request(hotwords=("Earshot", "http://x/y", "/etc/passwd", "list.txt")), model)
    assert model.hotwords_heard == [("Earshot",)]


def test_a_backend_takes_one_recording_more_than_it_has_threads() -> None:
    assert TranscriptionPipeline("loudness", ("en",), LoudnessRecognizer(max_parallel_chunks=3)).notes_at_once == 4


@dataclass
class Listening(LoudnessRecognizer):
    """Takes what it was told for speech, and counts how often it hears each sample's value."""

    max_chunk_s: float = 4
    preferred_chunk_s: float = 2
    regions: list[Region] = field(default_factory=list)
    heard: NDArray[np.int64] = field(default_factory=lambda: counted(np.empty(0, "<i2")))

    def detect_speech(self, blocks: Iterable[NDArray[np.int16]]) -> Iterator[Region]:
        for _ in blocks:
            pass
        yield from self.regions

    def recognize(self, samples: NDArray[np.int16], request: Request) -> RecognizedChunk:
        self.heard += counted(samples)
        return super().recognize(samples, request)


def counted(samples: NDArray[np.int16]) -> NDArray[np.int64]:
    return np.bincount(samples, minlength=1 << 15)


def unlike(stretches: list[tuple[bool, int]]) -> NDArray[np.int16]:
    """Make sound, loud or soft for so many hundredths of a second, of which no two have the same value."""
    soft, loud = iter(range(1, 1_000)), iter(range(10_000, 20_000))
    frames = [next(loud if is_loud else soft) for is_loud, length in stretches for _ in range(length)]
    return np.repeat(np.array(frames, "<i2"), SECOND // 100)


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 120)), min_size=1, max_size=8), st.data())
def test_all_detected_speech_is_recognized_and_nothing_twice(
    stretches: list[tuple[bool, int]], data: st.DataObject
) -> None:
    sound = unlike(stretches)
    edges = sorted(data.draw(st.sets(st.integers(0, len(sound)), max_size=8)))
    model = Listening(regions=[Region(start, end) for start, end in zip(edges[::2], edges[1::2], strict=False)])
    transcribe(sound, model=model)
    for region in model.regions:
        found = counted(sound[slice(*region)])
        assert (model.heard >= found).all()
    assert (model.heard <= counted(sound)).all()


def test_a_segment_starts_and_ends_with_its_sound_in_a_wider_region() -> None:
    sound = np.repeat(np.array([0, 4_000, 0, 4_000, 0], "<i2"), np.array([50, 50, 30, 40, 25]) * SECOND // 100)
    model = Listening(regions=[Region(0, len(sound))])
    (segment,) = transcribe(sound, model=model)[0].segments
    assert (segment.start, segment.end) == pytest.approx((0.5, 1.7), abs=0.02)


def test_the_segments_of_two_channels_are_in_order_of_time() -> None:
    stereo = np.stack([recording(2_000, 0, 0, 0, 4_000, 0), recording(0, 0, 3_000, 0, 0, 5_000)], axis=1)
    transcript, _ = transcribe(stereo, Request(channels="split"))
    assert [(found.start, found.channel, found.speaker) for found in transcript.segments] == [
        (0, 0, "Speaker 1"),
        (2, 1, "Speaker 2"),
        (4, 0, "Speaker 1"),
        (5, 1, "Speaker 2"),
    ]


def test_mono_has_neither_speaker_nor_channel() -> None:
    transcript, _ = transcribe(recording(2_000))
    assert (transcript.segments[0].speaker, transcript.segments[0].channel) == (None, None)


def test_a_speaker_who_is_alone_on_two_channels_has_a_channel_but_no_name() -> None:
    left = recording(2_000, 0, 0, 0, 0, 0, 2_000, 2_000, 0, 0)
    right = recording(0, 0, 30_000, 0, 30_000, 0, 0, 0, 0, 0)  # loud, but no words
    stereo = np.stack([left, right], axis=1)
    modes: tuple[ChannelMode, ...] = ("auto", "split")
    named = {mode: {found.speaker for found in spoken(stereo, mode)} for mode in modes}
    assert named == {"auto": {None}, "split": {"Speaker 1"}}
    assert {found.channel for found in spoken(stereo, "auto")} == {0}


def spoken(stereo: NDArray[np.int16], mode: ChannelMode) -> tuple[Segment, ...]:
    return transcribe(stereo, Request(channels=mode))[0].segments
