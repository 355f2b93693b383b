"""Reads with SenseVoice's exported network: sound to tokens, tokens to text, words, language, emotion and events.

Needs neither torch nor FunASR.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.audio.fbank import HOP, RATE, Frontend
from engine.hub.languages import SENSEVOICE_LANGUAGES
from engine.pipeline.transcribe import Detector, Reading
from engine.pipeline.word_times import timed_words
from engine.request import Request
from engine.runtime.onnx import Array
from engine.transcript import Word
from engine.vad.chunking import Region
from engine.vad.energy import fitted

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor

SHORTEST_SAMPLES = 3_200
BLANK = 0

# The rows of the table of queries.
ANY_LANGUAGE = 0
LANGUAGE_QUERIES = {"zh": 3, "en": 4, "yue": 7, "ja": 11, "ko": 12}
FIGURES, WORDS = 14, 15

NOBODY = "nospeech"
EMOTIONS = {name.upper(): name for name in ("happy", "sad", "angry", "fearful", "disgusted", "surprised")}
EVENTS = {name.capitalize(): name for name in ("laughter", "applause", "cry", "sneeze", "breath", "cough", "sing")}
EVENTS["BGM"] = "music"


class Token(NamedTuple):
    """A token, and from which row to before which it is heard."""

    number: int
    start: int
    end: int


class Runs(Protocol):
    """What answers for `speech` and the numbers of two queries with `tags` and `tokens`, each for a batch of one."""

    def run(self, *outputs: str, **inputs: Array) -> list[Array]:
        """Give the outputs that are named."""


@dataclass(frozen=True, slots=True)
class SenseVoice:
    """The network and what belongs to it. Any number of threads may read at the same time."""

    network: Runs
    frontend: Frontend
    alphabet: Alphabet
    vad: Detector
    reads_at_once: int

    max_piece_s: ClassVar[float] = 20.0
    joined_s: ClassVar[float] = 10.0

    def speech(self, blocks: Iterable[NDArray[np.int16]]) -> Iterator[Region]:
        """Find speech in the blocks of one recording."""
        return self.vad.speech(blocks)

    def read(self, samples: NDArray[np.int16], request: Request) -> Reading:
        """Read a piece."""
        padded = np.pad(samples, (0, max(0, SHORTEST_SAMPLES - len(samples))))
        rows = self.frontend.features(padded)[np.newaxis]
        language = request.language
        tags, tokens = self._run(rows, language, request)
        if language is None and request.languages:
            language = self.alphabet.likeliest(tags[0], request.languages)
            if self.alphabet.tag(int(tags[0].argmax())) not in {language, NOBODY}:
                tags, tokens = self._run(rows, language, request)
        reading = self._reading(tags.argmax(axis=-1), tokens, language)
        return reading._replace(words=fitted(reading.words, samples))  # it tells a moment within each

    def _run(
        self, rows: NDArray[np.float32], language: str | None, request: Request
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        query = ANY_LANGUAGE if language is None else LANGUAGE_QUERIES.get(language, ANY_LANGUAGE)
        tags, tokens = self.network.run(
            "tags",
            "tokens",
            speech=rows,
            language=np.array([query], np.int64),
            itn=np.array([FIGURES if request.itn else WORDS], np.int64),
        )
        return tags[0], tokens[0]

    def _reading(self, tags: NDArray[np.int64], tokens: NDArray[np.int64], language: str | None) -> Reading:
        found = list(collapsed(np.concatenate([tags, tokens])))
        told = [self.alphabet.tag(token.number) for token in found]
        spoken = [token for token, tag in zip(found, told, strict=True) if not tag]
        text = self.alphabet.text(spoken)
        events = tuple(dict.fromkeys(EVENTS[tag] for tag in told if tag in EVENTS))
        if self.alphabet.tag(int(tags[0])) == NOBODY or not text:
            return Reading("", "", events=events)
        return Reading(
            text=text,
            language=language or next((tag for tag in told if tag in SENSEVOICE_LANGUAGES), ""),
            words=timed_words(text, self._timed(spoken, before=len(tags))),
            events=events,
            emotion=next((EMOTIONS[tag] for tag in told if tag in EMOTIONS), ""),
        )

    def _timed(self, tokens: Iterable[Token], *, before: int) -> Iterator[Word]:
        """Give each token its seconds; a row is what is heard half a row before and after its place."""
        row_s = self.frontend.step * HOP / RATE
        for token in tokens:
            start, end = (max(0.0, (row - before - 0.5) * row_s) for row in (token.start, token.end))
            yield Word(start=start, end=end, text=self.alphabet.text([token]))


class Alphabet:
    """What the numbers of tokens stand for."""

    def __init__(self, path: Path) -> None:
        """Read the sentencepiece model.

        Raises:
            OSError: it is missing.
            RuntimeError: it is damaged.
        """
        import sentencepiece  # noqa: PLC0415 - only where a model is loaded

        self._pieces: SentencePieceProcessor = sentencepiece.SentencePieceProcessor()
        self._pieces.LoadFromSerializedProto(path.read_bytes())
        names = (self._pieces.IdToPiece(number) for number in range(len(self)))
        self._tags = {number: name[2:-2] for number, name in enumerate(names) if name[:2] == "<|" and name[-2:] == "|>"}
        self._numbers = {tag: number for number, tag in self._tags.items()}

    def __len__(self) -> int:
        """Give the number of tokens."""
        return int(self._pieces.GetPieceSize())

    def tag(self, number: int) -> str:
        """Give the tag that a token is, "" where it is text."""
        return self._tags.get(number, "")

    def text(self, tokens: Iterable[Token]) -> str:
        """Give the text of tokens."""
        return str(self._pieces.DecodeIds([token.number for token in tokens])).strip()

    def likeliest(self, scores: NDArray[np.float32], languages: Iterable[str]) -> str | None:
        """Give the language with the highest score of some; None where none has a tag."""
        known = [language for language in languages if language in self._numbers]
        return max(known, key=lambda language: float(scores[self._numbers[language]]), default=None)


def alphabet_file(folder: Path) -> Path:
    """Give the file of the alphabet: the one that the model's configuration names, else the only one there is."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        names = json.loads((folder / "configuration.json").read_text(encoding="utf-8"))
        return folder / str(names["file_path_metas"]["tokenizer_conf"]["bpemodel"])
    return next(folder.glob("*.bpe.model"), folder / "chn_jpn_yue_eng_ko_spectok.bpe.model")


def collapsed(likeliest: NDArray[np.int64]) -> Iterator[Token]:
    """Give each run of the same token once, and leave out blanks."""
    end = 0
    for number, run in groupby(likeliest.tolist()):
        start, end = end, end + len(list(run))
        if number != BLANK:
            yield Token(number, start, end)
