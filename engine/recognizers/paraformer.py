"""Paraformer, also SeACo with its hotwords: exact times of its own, and marks from another network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.pipeline.transcribe import RecognizedChunk, SpeechDetector
from engine.pipeline.word_times import align_words, language_by_script
from engine.recognizers.funasr_adapter import FunasrNetwork
from engine.request import Request
from engine.scripts import join_texts
from engine.vad.chunking import Region


@dataclass(frozen=True, slots=True)
class Paraformer:
    """The network, what finds speech for it, and what punctuates its bare words."""

    network: FunasrNetwork
    vad: SpeechDetector
    punctuation: FunasrNetwork | None

    max_chunk_s: ClassVar[float] = 20.0
    preferred_chunk_s: ClassVar[float] = 10.0
    max_parallel_chunks: ClassVar[int] = 1

    def detect_speech(self, blocks: Iterable[NDArray[np.int16]]) -> Iterator[Region]:
        """Find speech in the blocks of one recording."""
        return self.vad.detect_speech(blocks)

    def recognize(self, samples: NDArray[np.int16], request: Request) -> RecognizedChunk:
        """Read a piece. Hotwords go in as one line, so one of several words counts word by word."""
        heard = self.network.hear(samples, hotword=" ".join(request.hotwords) or None)
        if not heard.text:
            return RecognizedChunk("", "")
        text = join_texts(heard.text.split())  # it puts spaces between all words where it tells their times
        if self.punctuation is not None:
            text = self.punctuation.punctuate(text)
        return RecognizedChunk(text, request.language or language_by_script(text), align_words(text, heard.words))
