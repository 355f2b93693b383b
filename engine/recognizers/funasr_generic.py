"""A folder of FunASR's of a kind that nobody here knows: its text, and the language that its tags tell."""

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
    """The network and what finds speech for it."""

    network: FunasrNetwork
    vad: SpeechDetector

    max_chunk_s: ClassVar[float] = 20.0
    preferred_chunk_s: ClassVar[float] = 10.0
    max_parallel_chunks: ClassVar[int] = 1

    def detect_speech(self, blocks: Iterable[NDArray[np.int16]]) -> Iterator[Region]:
        """Find speech in the blocks of one recording."""
        return self.vad.detect_speech(blocks)

    def recognize(self, samples: NDArray[np.int16], request: Request) -> RecognizedChunk:
        """Read a piece."""
        heard = self.network.hear(samples, language=request.language or "auto", use_itn=request.itn)
        if "nospeech" in heard.tags or not heard.text:
            return RecognizedChunk("", "")
        return RecognizedChunk(
            heard.text, request.language or next((tag for tag in heard.tags if tag in SENSEVOICE_LANGUAGES), "")
        )
