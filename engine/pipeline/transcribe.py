"""Transcribes a recording with any recognizer: channels, speech detection, chunks, text, speakers. Knows no vendor."""

from __future__ import annotations

import heapq
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby, repeat
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.audio import SAMPLE_RATE
from engine.audio.channels import Channel, split_channels
from engine.audio.samples import Audio
from engine.errors import Cancelled
from engine.pipeline.fair_pool import FairThreadPool
from engine.request import Progress, Request
from engine.scripts import join_texts
from engine.speakers.clustering import SpeakerEmbedding, assign_speakers
from engine.speakers.embeddings import SpeakerEmbedder
from engine.text.corrections import correct_hotwords
from engine.text.hotwords import sanitize_hotwords
from engine.text.normalize import normalize_text
from engine.transcript import Correction, Segment, Transcript, Word
from engine.vad.chunking import Chunk, Region, merge_regions, pad_regions, split_regions, trim_to_speech
from engine.vad.energy import EnergyProfile

MARGIN_S = 0.3
MERGE_GAP_S = 1.0
TOUCHING_S = 0.05
VAD_BLOCK_S = 20


class RecognizedChunk(NamedTuple):
    """What a recognizer found in one chunk: the text, "" where nobody speaks, and its language.

    The times of `words` are seconds from the beginning of the chunk. Recognizers leave `corrections` and
    `embeddings` empty: the pipeline adds them.
    """

    text: str
    language: str
    words: tuple[Word, ...] = ()
    events: tuple[str, ...] = ()
    emotion: str = ""
    corrections: tuple[Correction, ...] = ()
    embeddings: tuple[SpeakerEmbedding, ...] = ()


class SpeechDetector(Protocol):
    """Finds speech in 16 kHz 16-bit samples."""

    def detect_speech(self, blocks: Iterable[NDArray[np.int16]]) -> Iterator[Region]:
        """Give the speech regions of one recording; an empty region means that there is no speech up to there."""


class Recognizer(SpeechDetector, Protocol):
    """A speech recognition model with its speech detector: samples in, text and words out."""

    @property
    def max_chunk_s(self) -> float:
        """The longest chunk that it recognizes well, in seconds."""

    @property
    def preferred_chunk_s(self) -> float:
        """Up to how many seconds neighbouring speech is merged into one chunk."""

    @property
    def max_parallel_chunks(self) -> int:
        """How many threads may call `recognize` at the same time."""

    def recognize(self, samples: NDArray[np.int16], request: Request) -> RecognizedChunk:
        """Recognize one chunk. The request's language is a code or None, and its hotwords are sanitized."""


@dataclass(slots=True)
class _Run:
    """One transcription: collects segments, reports progress, stops when it is cancelled."""

    audio: Audio
    on_progress: Callable[[Progress], None]
    cancelled: threading.Event
    text: str = ""
    done: int = 0
    pending: int = 0
    segments: list[Segment] = field(default_factory=list)
    embeddings: list[list[SpeakerEmbedding]] = field(default_factory=list)
    samples_by_language: Counter[str] = field(default_factory=Counter)

    def chunks_to_recognize(self, chunks: Iterable[tuple[Chunk, Channel]]) -> Iterator[tuple[Chunk, Channel] | None]:
        """Give the chunks; None for a silence. Progress moves to a silence unless a chunk before it is pending."""
        for chunk, channel in chunks:
            if chunk.speech.is_empty:
                self._report(0 if self.pending else chunk.speech.end)
                yield None
            else:
                self.pending += 1
                yield chunk, channel

    def raise_if_cancelled(self) -> None:
        """Raise Cancelled once the transcript is no longer wanted."""
        if self.cancelled.is_set():
            raise Cancelled

    def finish(self) -> None:
        """Report that everything is done."""
        self._report(len(self.audio.samples))

    def _report(self, sample: int) -> None:
        self.done = max(self.done, sample)
        self.on_progress(
            Progress(done_s=self.done / SAMPLE_RATE, total_s=self.audio.duration, text=self.text),
        )

    def keep(self, channel: Channel, chunk: Chunk, recognized: RecognizedChunk) -> None:
        """Add what was recognized in `chunk`."""
        self.raise_if_cancelled()
        speech = chunk.speech
        self.pending -= 1
        if recognized.text:
            self.segments.append(_segment(channel, chunk, recognized))
            start_s = speech.start / SAMPLE_RATE
            self.embeddings.append([one._replace(middle_s=start_s + one.middle_s) for one in recognized.embeddings])
            self.text = join_texts([self.text, recognized.text])
            self.samples_by_language[recognized.language] += speech.end - speech.start
        # Speech of another channel may still be pending before the end of this chunk.
        self._report(speech.end if channel.index is None else speech.start)


@dataclass(frozen=True, slots=True)
class TranscriptionPipeline:
    """The backend of every real model: a recognizer, and an embedder for speakers where they are wanted."""

    name: str
    languages: tuple[str, ...]
    model: Recognizer
    embedder: SpeakerEmbedder | None = None
    pool: FairThreadPool = field(init=False)

    def __post_init__(self) -> None:
        """Create the thread pool that all recordings share."""
        object.__setattr__(self, "pool", FairThreadPool(self.model.max_parallel_chunks))

    @property
    def notes_at_once(self) -> int:
        """How many recordings to take at once: one more than can run, which is fetched and decoded meanwhile."""
        return self.model.max_parallel_chunks + 1

    @property
    def is_stuck(self) -> bool:
        """Tell whether the model does not return from a chunk whose transcription was cancelled long ago."""
        return self.pool.is_stuck

    @property
    def is_blocked(self) -> bool:
        """Tell whether every thread is busy with chunks of cancelled transcriptions."""
        return self.pool.is_blocked

    def running_s(self, cancelled: threading.Event) -> float | None:
        """Give for how many seconds the chunk has run that the transcription with this event waits for.

        None: the chunk is still queued. 0: the transcription waits for no chunk.
        """
        return self.pool.running_s(cancelled)

    def transcribe(
        self, audio: Audio, request: Request, *, on_progress: Callable[[Progress], None], cancelled: threading.Event
    ) -> Transcript:
        """Transcribe the speech of all channels, in order of time.

        Raises:
            Cancelled: `cancelled` was set.
        """
        run = _Run(audio, on_progress, cancelled)
        request = replace(request, hotwords=sanitize_hotwords(request.hotwords))
        channels = split_channels(audio, request.channels, run.raise_if_cancelled)
        by_channel = [zip(self._chunks(channel, run), repeat(channel)) for channel in channels]
        chunks = heapq.merge(*by_channel, key=lambda found: found[0].speech)

        def recognize(found: tuple[Chunk, Channel]) -> RecognizedChunk:
            chunk, channel = found
            recognized = _normalized(self.model.recognize(channel.samples(*chunk.padded), request), request)
            if self.embedder is None or not recognized.text or request.speakers == "off" or channel.index is not None:
                return recognized
            return recognized._replace(embeddings=self.embedder.embed(channel.samples(*chunk.speech)))

        with closing(self.pool.map_ordered(recognize, run.chunks_to_recognize(chunks), cancelled)) as results:
            for (chunk, channel), recognized in results:
                run.keep(channel, chunk, recognized)
        segments = _named_speakers(run, request)
        run.finish()
        return Transcript(
            language=self._language(request, run.samples_by_language),
            duration=audio.duration,
            segments=segments,
            model=self.name,
        )

    def _language(self, request: Request, samples_by_language: Counter[str]) -> str:
        """Choose the language asked for, else the one spoken longest, else the first of a model that does not tell."""
        if not samples_by_language:
            return ""
        longest = max(samples_by_language, key=samples_by_language.__getitem__)
        return request.language or longest or "".join(self.languages[:1])

    def _chunks(self, channel: Channel, run: _Run) -> Iterator[Chunk]:
        """Give the chunks to recognize, and the long silences between, before which no chunk is held back."""
        found = self.model.detect_speech(_checked_blocks(channel, run))
        for is_silence, regions in groupby(found, key=lambda region: region.is_empty):
            chunks = _silences if is_silence else partial(self._cut, channel)
            yield from chunks(regions)

    def _cut(self, channel: Channel, found: Iterable[Region]) -> Iterator[Chunk]:
        margin = round(MARGIN_S * SAMPLE_RATE)
        merged = merge_regions(
            found,
            max_gap=round(MERGE_GAP_S * SAMPLE_RATE),
            max_length=round(self.model.preferred_chunk_s * SAMPLE_RATE),
        )
        cut = split_regions(
            merged,
            max_length=round(self.model.max_chunk_s * SAMPLE_RATE) - 2 * margin,
            touching=round(TOUCHING_S * SAMPLE_RATE),
            quietest=channel.quietest,
        )
        for chunk in pad_regions(cut, margin=margin, total=len(channel)):
            yield trim_to_speech(chunk, _trimmed(channel, chunk.speech), margin=margin)


def _silences(regions: Iterable[Region]) -> Iterator[Chunk]:
    return (Chunk(region, region) for region in regions)


def _trimmed(channel: Channel, region: Region) -> Region:
    """Leave out the quiet around speech: a region begins or ends a little outside of it."""
    length_s = (region.end - region.start) / SAMPLE_RATE
    start_s, end_s = EnergyProfile(channel.samples(*region)).trim_silence(0.0, length_s)
    return Region(region.start + round(start_s * SAMPLE_RATE), region.start + round(end_s * SAMPLE_RATE))


def _named_speakers(run: _Run, request: Request) -> tuple[Segment, ...]:
    """Name the speakers, by voice or by channel; a speaker who is alone on both channels has no name."""
    segments = assign_speakers(run.segments, run.embeddings, request.speakers, run.raise_if_cancelled)
    if request.channels == "auto" and len({segment.speaker for segment in segments}) == 1:
        return tuple(replace(segment, speaker=None) for segment in segments)
    return segments


def _checked_blocks(channel: Channel, run: _Run) -> Iterator[NDArray[np.int16]]:
    for block in channel.blocks(VAD_BLOCK_S * SAMPLE_RATE):
        run.raise_if_cancelled()
        yield block


def _normalized(recognized: RecognizedChunk, request: Request) -> RecognizedChunk:
    """Give the text and the words the form that was asked for."""
    text, words = normalize_text(
        recognized.text,
        recognized.words,
        recognized.language or request.language or "",
        punctuation=request.punctuation,
        chinese=request.chinese,
    )
    corrections: tuple[Correction, ...] = ()
    if request.correct:
        text, words, corrections = correct_hotwords(text, words, request.hotwords)
    return recognized._replace(text=text, words=words, corrections=corrections)


def _segment(channel: Channel, chunk: Chunk, recognized: RecognizedChunk) -> Segment:
    chunk_start_s = chunk.padded.start / SAMPLE_RATE
    return Segment(
        start=_to_milliseconds(chunk.speech.start / SAMPLE_RATE),
        end=_to_milliseconds(chunk.speech.end / SAMPLE_RATE),
        text=recognized.text,
        speaker=None if channel.index is None else f"Speaker {channel.index + 1}",
        channel=channel.index,
        words=tuple(
            replace(
                word,
                start=_to_milliseconds(chunk_start_s + word.start),
                end=_to_milliseconds(chunk_start_s + word.end),
            )
            for word in recognized.words
        ),
        events=recognized.events,
        emotion=recognized.emotion,
        corrections=recognized.corrections,
    )


def _to_milliseconds(seconds: float) -> float:
    """Round seconds to 1 ms: no model knows a time more exactly."""
    return round(seconds, 3)
