"""Recognizes speech with Paraformer or SeACo-Paraformer (with hotwords); punctuation from a model of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.pipeline.transcribe import RecognizedChunk, SpeechDetector
from engine.pipeline.word_times import align_words
from engine.recognizers.funasr_adapter import FunasrNetwork
from engine.request import Request
from engine.scripts import join_texts, language_by_script
from engine.vad.chunking import Region


@dataclass(frozen=True, slots=True)
class Paraformer:
    """A Paraformer network with a speech detector, and a punctuation network if there is one."""

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
        """Recognize a chunk. Hotwords are passed as one line, so that one of several words counts word by word."""
        answer = self.network.infer(samples, hotword=" ".join(request.hotwords) or None)
        if not answer.text:
            return RecognizedChunk("", "")
        text = join_texts(answer.text.split())  # the text has spaces between all characters where it has times
        if self.punctuation is not None:
            text = self.punctuation.punctuate(text)
        return RecognizedChunk(text, request.language or language_by_script(text), align_words(text, answer.words))
