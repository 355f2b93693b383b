"""Turns a recording into a transcript with any model that can find and read speech. Knows no vendor."""

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

from engine.audio.channels import Channel, split_channels
from engine.audio.samples import SAMPLE_RATE, Audio
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
from engine.vad.chunking import Chunk, Region, joined, padded, split, trim_to_speech
from engine.vad.energy import EnergyProfile

MARGIN_S = 0.3
JOIN_GAP_S = 1.0
TOUCHING_S = 0.05
VAD_BLOCK_S = 20


class RecognizedChunk(NamedTuple):
    """What a model made of one piece: the text, "" where nobody speaks, and its language.

    The times of `words` are seconds from the beginning of the piece. No model tells `corrections` and
    `voices`.
    """

    text: str
    language: str
    words: tuple[Word, ...] = ()
    events: tuple[str, ...] = ()
    emotion: str = ""
    corrections: tuple[Correction, ...] = ()
    voices: tuple[SpeakerEmbedding, ...] = ()


class SpeechDetector(Protocol):
    """What finds speech in 16 kHz 16-bit samples."""

    def speech(self, blocks: Iterable[NDArray[np.int16]]) -> Iterator[Region]:
        """Find speech in the blocks of one recording; an empty region tells of a long silence, as it goes on."""


class Recognizer(SpeechDetector, Protocol):
    """What finds and reads speech: samples in, our own types out."""

    @property
    def max_piece_s(self) -> float:
        """The longest piece that it reads well."""

    @property
    def joined_s(self) -> float:
        """How long a piece it likes best, where speech can be joined to one."""

    @property
    def reads_at_once(self) -> int:
        """How many threads may call `read` at the same time."""

    def read(self, samples: NDArray[np.int16], request: Request) -> RecognizedChunk:
        """Read a piece. The request's language is a code or None, and its hotwords are sanitized."""


@dataclass(slots=True)
class _Reader:
    """One run: keeps the segments so far, tells progress, stops when it is cancelled."""

    audio: Audio
    on_progress: Callable[[Progress], None]
    cancelled: threading.Event
    text: str = ""
    done: int = 0
    unread: int = 0
    segments: list[Segment] = field(default_factory=list)
    voices: list[list[SpeakerEmbedding]] = field(default_factory=list)
    spoken: Counter[str] = field(default_factory=Counter)

    def to_read(self, pieces: Iterable[tuple[Chunk, Channel]]) -> Iterator[tuple[Chunk, Channel] | None]:
        """Give the pieces; None for a silence, before which everything is done unless something waits to be read."""
        for piece, track in pieces:
            if piece.spoken.is_empty:
                self._reached(0 if self.unread else piece.spoken.end)
                yield None
            else:
                self.unread += 1
                yield piece, track

    def stop_if_cancelled(self) -> None:
        """Raise Cancelled when nobody wants the transcript any more."""
        if self.cancelled.is_set():
            raise Cancelled

    def finish(self) -> None:
        """Say that there is nothing left."""
        self._reached(len(self.audio.samples))

    def _reached(self, sample: int) -> None:
        self.done = max(self.done, sample)
        self.on_progress(
            Progress(done_s=self.done / SAMPLE_RATE, total_s=self.audio.duration, text=self.text),
        )

    def keep(self, track: Channel, piece: Chunk, reading: RecognizedChunk) -> None:
        """Take what was read in `piece`."""
        self.stop_if_cancelled()
        spoken = piece.spoken
        self.unread -= 1
        if reading.text:
            self.segments.append(_segment(track, piece, reading))
            start_s = spoken.start / SAMPLE_RATE
            self.voices.append([voice._replace(middle=start_s + voice.middle) for voice in reading.voices])
            self.text = join_texts([self.text, reading.text])
            self.spoken[reading.language] += spoken.end - spoken.start
        # Meanwhile another channel may speak.
        self._reached(spoken.end if track.channel is None else spoken.start)


@dataclass(frozen=True, slots=True)
class TranscriptionPipeline:
    """A backend made of a speech model, and of what tells voices apart."""

    name: str
    languages: tuple[str, ...]
    model: Recognizer
    voices: SpeakerEmbedder | None = None
    crew: FairThreadPool = field(init=False)

    def __post_init__(self) -> None:
        """Put a crew together that reads for all recordings."""
        object.__setattr__(self, "crew", FairThreadPool(self.model.reads_at_once))

    @property
    def notes_at_once(self) -> int:
        """One more than are read at the same time: its sound is fetched and decoded meanwhile."""
        return self.model.reads_at_once + 1

    @property
    def is_stuck(self) -> bool:
        """Tell whether the model does not come back from a piece that nobody wants any more."""
        return self.crew.is_stuck

    @property
    def is_blocked(self) -> bool:
        """Tell whether the model is busy with nothing but pieces that nobody wants any more."""
        return self.crew.is_blocked

    def running_s(self, cancelled: threading.Event) -> float | None:
        """Tell for how long the model has read the piece that is waited for, by whom `cancelled` stops."""
        return self.crew.running_s(cancelled)

    def transcribe(
        self, audio: Audio, request: Request, *, on_progress: Callable[[Progress], None], cancelled: threading.Event
    ) -> Transcript:
        """Read all speech of all voices in the order of time.

        Raises:
            Cancelled: `cancelled` was set.
        """
        reader = _Reader(audio, on_progress, cancelled)
        request = replace(request, hotwords=sanitize_hotwords(request.hotwords))
        voices = split_channels(audio, request.channels, reader.stop_if_cancelled)
        found = [zip(self._pieces(track, reader), repeat(track)) for track in voices]
        pieces = heapq.merge(*found, key=lambda found: found[0].spoken)

        def read(found: tuple[Chunk, Channel]) -> RecognizedChunk:
            piece, track = found
            reading = _finished(self.model.read(track.piece(*piece.heard), request), request)
            if self.voices is None or not reading.text or request.speakers == "off" or track.channel is not None:
                return reading
            return reading._replace(voices=self.voices.heard(track.piece(*piece.spoken)))

        with closing(self.crew.done(read, reader.to_read(pieces), cancelled)) as readings:
            for (piece, track), reading in readings:
                reader.keep(track, piece, reading)
        segments = _assign_speakers(reader, request)
        reader.finish()
        return Transcript(
            language=self._language(request, reader.spoken),
            duration=audio.duration,
            segments=segments,
            model=self.name,
        )

    def _language(self, request: Request, spoken: Counter[str]) -> str:
        """Choose the language asked for, else the one spoken longest, else the first of a model that does not tell."""
        if not spoken:
            return ""
        return request.language or max(spoken, key=spoken.__getitem__) or "".join(self.languages[:1])

    def _pieces(self, track: Channel, reader: _Reader) -> Iterator[Chunk]:
        """Find what is to be read and the silences between, with which nothing is held back any more."""
        found = self.model.speech(_checked_blocks(track, reader))
        for is_silence, regions in groupby(found, key=lambda region: region.is_empty):
            pieces = _silences if is_silence else partial(self._cut, track)
            yield from pieces(regions)

    def _cut(self, track: Channel, found: Iterable[Region]) -> Iterator[Chunk]:
        margin = round(MARGIN_S * SAMPLE_RATE)
        max_length = round(self.model.max_piece_s * SAMPLE_RATE) - 2 * margin
        longer = joined(
            found, max_gap=round(JOIN_GAP_S * SAMPLE_RATE), max_length=round(self.model.joined_s * SAMPLE_RATE)
        )
        touching = round(TOUCHING_S * SAMPLE_RATE)
        cut = split(longer, max_length=max_length, touching=touching, quietest=track.quietest)
        for piece in padded(cut, margin=margin, total=len(track)):
            yield trim_to_speech(piece, _trimmed(track, piece.spoken), margin=margin)


def _silences(regions: Iterable[Region]) -> Iterator[Chunk]:
    return (Chunk(region, region) for region in regions)


def _trimmed(track: Channel, region: Region) -> Region:
    """Leave out the quiet around speech: a region found or cut begins or ends a little outside."""
    length_s = (region.end - region.start) / SAMPLE_RATE
    start_s, end_s = EnergyProfile(track.piece(*region)).trimmed(0.0, length_s)
    return Region(region.start + round(start_s * SAMPLE_RATE), region.start + round(end_s * SAMPLE_RATE))


def _assign_speakers(reader: _Reader, request: Request) -> tuple[Segment, ...]:
    """Name the speakers, by voice or by channel; who is alone on both channels of a recording has no name."""
    segments = assign_speakers(reader.segments, reader.voices, request.speakers, reader.stop_if_cancelled)
    if request.channels == "auto" and len({segment.speaker for segment in segments}) == 1:
        return tuple(replace(segment, speaker=None) for segment in segments)
    return segments


def _checked_blocks(track: Channel, reader: _Reader) -> Iterator[NDArray[np.int16]]:
    for block in track.blocks(VAD_BLOCK_S * SAMPLE_RATE):
        reader.stop_if_cancelled()
        yield block


def _finished(reading: RecognizedChunk, request: Request) -> RecognizedChunk:
    """Give the text and the words the form that was asked for."""
    text, words = normalize_text(
        reading.text,
        reading.words,
        reading.language or request.language or "",
        punctuation=request.punctuation,
        chinese=request.chinese,
    )
    changes: tuple[Correction, ...] = ()
    if request.correct:
        text, words, changes = correct_hotwords(text, words, request.hotwords)
    return reading._replace(text=text, words=words, corrections=changes)


def _segment(track: Channel, piece: Chunk, reading: RecognizedChunk) -> Segment:
    heard_s = piece.heard.start / SAMPLE_RATE
    return Segment(
        start=_milliseconds(piece.spoken.start / SAMPLE_RATE),
        end=_milliseconds(piece.spoken.end / SAMPLE_RATE),
        text=reading.text,
        speaker=None if track.channel is None else f"Speaker {track.channel + 1}",
        channel=track.channel,
        words=tuple(
            Word(start=_milliseconds(heard_s + word.start), end=_milliseconds(heard_s + word.end), text=word.text)
            for word in reading.words
        ),
        events=reading.events,
        emotion=reading.emotion,
        corrections=reading.corrections,
    )


def _milliseconds(seconds: float) -> float:
    """Drop what no model knows of a time, and nobody wants to read."""
    return round(seconds, 3)
