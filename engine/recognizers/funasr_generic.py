"""Recognizes speech with any other FunASR model folder: its text, and the language in its tags."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.hub.languages import SENSEVOICE_LANGUAGES
from engine.pipeline.transcribe import RecognizedChunk, SpeechDetector
from engine.recognizers.funasr_adapter import FunasrNetwork
from engine.request import Request
from engine.vad.chunking import Region


@dataclass(frozen=True, slots=True)
class GenericFunasr:
    """A network with a speech detector."""

    network: FunasrNetwork
    vad: SpeechDetector

    max_chunk_s: ClassVar[float] = 20.0
    preferred_chunk_s: ClassVar[float] = 10.0
    max_parallel_chunks: ClassVar[int] = 1

    def detect_speech(self, blocks: Iterable[NDArray[np.int16]]) -> Iterator[Region]:
        """Find speech in the blocks of one recording."""
        return self.vad.detect_speech(blocks)

    def recognize(self, samples: NDArray[np.int16], request: Request) -> RecognizedChunk:
        """Recognize a chunk."""
        answer = self.network.infer(samples, language=request.language or "auto", use_itn=request.itn)
        if "nospeech" in answer.tags or not answer.text:
            return RecognizedChunk("", "")
        return RecognizedChunk(
            answer.text, request.language or next((tag for tag in answer.tags if tag in SENSEVOICE_LANGUAGES), "")
        )
