"""SenseVoice: samples to text, word times, language, emotion and sound events, by greedy CTC decoding.

Knows neither torch nor FunASR nor ONNX Runtime: whatever runs the network is handed in.
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

from engine.audio import SAMPLE_RATE
from engine.audio.fbank import HOP, Frontend
from engine.hub.languages import SENSEVOICE_LANGUAGES
from engine.pipeline.transcribe import RecognizedChunk, SpeechDetector
from engine.pipeline.word_times import align_words
from engine.request import Request
from engine.runtime.onnx import Array
from engine.transcript import Word
from engine.vad.chunking import Region
from engine.vad.energy import snap_words_to_energy

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor

MIN_SAMPLES = 3_200  # 0.2 s; a shorter chunk is padded with silence
BLANK = 0

# Rows of the embedding table `embed`: `lid_dict` and `textnorm_dict` in funasr/models/sense_voice/model.py.
ANY_LANGUAGE = 0
LANGUAGE_QUERIES = {"zh": 3, "en": 4, "yue": 7, "ja": 11, "ko": 12}
WITH_ITN, WITHOUT_ITN = 14, 15

# Tags among the tokens of the published tokenizer, chn_jpn_yue_eng_ko_spectok.bpe.model.
NO_SPEECH = "nospeech"
EMOTIONS = {name.upper(): name for name in ("happy", "sad", "angry", "fearful", "disgusted", "surprised")}
EVENTS = {name.capitalize(): name for name in ("laughter", "applause", "cry", "sneeze", "breath", "cough", "sing")}
EVENTS["BGM"] = "music"


class Token(NamedTuple):
    """A token with its first row and the row after its last one."""

    number: int
    start: int
    end: int


class AcousticModel(Protocol):
    """SenseVoice's network for a batch of one, on ONNX Runtime or on torch."""

    def run(self, *outputs: str, **inputs: Array) -> list[Array]:
        """Compute the outputs that are named, in their order.

        Inputs: `speech`, float32 [1, rows, 560]; `language` and `itn`, int64 [1], rows of the embedding table.
        Outputs: `tags`, scores of the four rows before the speech, float32 [1, 4, vocabulary]; `tokens`, the likeliest
        token of each row, int64 [1, rows].
        """


@dataclass(frozen=True, slots=True)
class SenseVoice:
    """A loaded SenseVoice model. Any number of threads may call `recognize` at the same time."""

    network: AcousticModel
    frontend: Frontend
    tokenizer: Tokenizer
    vad: SpeechDetector
    max_parallel_chunks: int

    max_chunk_s: ClassVar[float] = 20.0
    preferred_chunk_s: ClassVar[float] = 10.0

    def detect_speech(self, blocks: Iterable[NDArray[np.int16]]) -> Iterator[Region]:
        """Find speech in the blocks of one recording."""
        return self.vad.detect_speech(blocks)

    def recognize(self, samples: NDArray[np.int16], request: Request) -> RecognizedChunk:
        """Transcribe one chunk of 16 kHz samples.

        Where the request names several languages, the likeliest of them is taken, with a second run if need be.
        """
        padded = np.pad(samples, (0, max(0, MIN_SAMPLES - len(samples))))
        rows = self.frontend.features(padded)[np.newaxis]
        language = request.language
        tags, tokens = self._run(rows, language, request)
        if language is None and request.languages:
            language = self.tokenizer.likeliest(tags[0], request.languages)
            if self.tokenizer.tag(int(tags[0].argmax())) not in {language, NO_SPEECH}:
                tags, tokens = self._run(rows, language, request)
        recognized = self._decode(tags.argmax(axis=-1), tokens, language)
        # A CTC peak lies somewhere within its token's sound.
        return recognized._replace(words=snap_words_to_energy(recognized.words, samples))

    def _run(
        self, rows: NDArray[np.float32], language: str | None, request: Request
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        query = ANY_LANGUAGE if language is None else LANGUAGE_QUERIES.get(language, ANY_LANGUAGE)
        tags, tokens = self.network.run(
            "tags",
            "tokens",
            speech=rows,
            language=np.array([query], np.int64),
            itn=np.array([WITH_ITN if request.itn else WITHOUT_ITN], np.int64),
        )
        return tags[0], tokens[0]

    def _decode(self, tags: NDArray[np.int64], tokens: NDArray[np.int64], language: str | None) -> RecognizedChunk:
        found = list(collapse_ctc(np.concatenate([tags, tokens])))
        names = [self.tokenizer.tag(token.number) for token in found]
        spoken = [token for token, name in zip(found, names, strict=True) if not name]
        text = self.tokenizer.text(spoken)
        events = tuple(dict.fromkeys(EVENTS[name] for name in names if name in EVENTS))
        if self.tokenizer.tag(int(tags[0])) == NO_SPEECH or not text:
            return RecognizedChunk("", "", events=events)
        return RecognizedChunk(
            text=text,
            language=language or next((name for name in names if name in SENSEVOICE_LANGUAGES), ""),
            words=align_words(text, self._timed(spoken, before=len(tags))),
            events=events,
            emotion=next((EMOTIONS[name] for name in names if name in EMOTIONS), ""),
        )

    def _timed(self, tokens: Iterable[Token], *, before: int) -> Iterator[Word]:
        """Give each token its seconds: a row stands for the sound half a row before and after it."""
        row_s = self.frontend.step * HOP / SAMPLE_RATE
        for token in tokens:
            start, end = (max(0.0, (row - before - 0.5) * row_s) for row in (token.start, token.end))
            yield Word(start=start, end=end, text=self.tokenizer.text([token]))


class Tokenizer:
    """The sentencepiece model: token numbers to text and tags."""

    def __init__(self, path: Path) -> None:
        """Load the file.

        Raises:
            OSError: It is missing.
            RuntimeError: It is damaged.
        """
        import sentencepiece  # noqa: PLC0415 - only where a model is loaded

        self._pieces: SentencePieceProcessor = sentencepiece.SentencePieceProcessor()
        self._pieces.LoadFromSerializedProto(path.read_bytes())
        names = (self._pieces.IdToPiece(number) for number in range(len(self)))
        self._tags = {number: name[2:-2] for number, name in enumerate(names) if name[:2] == "<|" and name[-2:] == "|>"}
        self._numbers = {tag: number for number, tag in self._tags.items()}

    def __len__(self) -> int:
        """Return the size of the vocabulary."""
        return int(self._pieces.GetPieceSize())

    def tag(self, number: int) -> str:
        """Return the name of a tag such as `<|en|>`, without its brackets; "" for a token of text."""
        return self._tags.get(number, "")

    def text(self, tokens: Iterable[Token]) -> str:
        """Decode tokens to text."""
        return str(self._pieces.DecodeIds([token.number for token in tokens])).strip()

    def likeliest(self, scores: NDArray[np.float32], languages: Iterable[str]) -> str | None:
        """Return the language whose tag has the highest score, None where none has a tag. `scores`: [vocabulary]."""
        known = [language for language in languages if language in self._numbers]
        return max(known, key=lambda language: float(scores[self._numbers[language]]), default=None)


def tokenizer_file(folder: Path) -> Path:
    """Return the sentencepiece file: the one that configuration.json names, else the first `*.bpe.model`."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        names = json.loads((folder / "configuration.json").read_text(encoding="utf-8"))
        return folder / str(names["file_path_metas"]["tokenizer_conf"]["bpemodel"])
    return next(folder.glob("*.bpe.model"), folder / "chn_jpn_yue_eng_ko_spectok.bpe.model")


def collapse_ctc(likeliest: NDArray[np.int64]) -> Iterator[Token]:
    """Merge repeated tokens and drop blanks: greedy CTC decoding of the likeliest token of each row."""
    end = 0
    for number, run in groupby(likeliest.tolist()):
        start, end = end, end + len(list(run))
        if number != BLANK:
            yield Token(number, start, end)
