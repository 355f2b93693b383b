import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from engine.audio.samples import Audio
from engine.errors import Cancelled
from engine.pipeline import fair_pool
from engine.pipeline.transcribe import RecognizedChunk, TranscriptionPipeline
from engine.request import ChannelMode, Progress, Request
from engine.speakers.clustering import SpeakerEmbedding
from engine.transcript import Segment, Transcript, Word
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
    return np.repeat(np.array(levels, "<i2"), SECOND)


def transcribe(
    samples: NDArray[np.int16], request: Request | None = None, model: LoudnessRecognizer | None = None
) -> tuple[Transcript, list[Progress]]:
    progress: list[Progress] = []
    backend = TranscriptionPipeline("loudness", ("en", "de"), model or LoudnessRecognizer())
    transcript = backend.transcribe(
        Audio(samples=samples), request or Request(), on_progress=progress.append, cancelled=threading.Event()
    )
    return transcript, progress


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


def test_progress_never_goes_back_and_ends_with_all_the_text() -> None:
    transcript, progress = transcribe(recording(*([2_000, 0, 0] * 30)))
    done = [step.done_s for step in progress]
    assert done == sorted(done)
    assert {step.total_s for step in progress} == {90}
    assert progress[-1].text == " ".join(found.text for found in transcript.segments)
    assert any(0 < step.done_s < 60 and step.text for step in progress)


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


def test_speech_counts_as_done_only_when_it_is_recognized() -> None:
    _, progress = transcribe(
        recording(0, *[2_000] * 100, *[0] * 39), model=Patient(max_chunk_s=60, max_parallel_chunks=3)
    )
    assert {step.done_s for step in progress if not step.text} <= {0}
    assert [step.done_s for step in progress][-2:] == [101, 140]


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


def test_a_backend_takes_one_recording_more_than_it_has_threads() -> None:
    assert TranscriptionPipeline("loudness", ("en",), LoudnessRecognizer(max_parallel_chunks=3)).notes_at_once == 4


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


levels = st.sampled_from([0, 2_000, 12_000, 30_000])


stretches = st.lists(st.tuples(levels, st.integers(1, 25)), max_size=4)


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
