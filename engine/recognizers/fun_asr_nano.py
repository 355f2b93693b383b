"""Fun-ASR-Nano: SenseVoice's ear before a small language model, which writes the text with its marks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.audio import SAMPLE_RATE
from engine.pipeline.transcribe import RecognizedChunk, SpeechDetector
from engine.pipeline.word_times import align_words, language_by_script
from engine.recognizers.funasr_adapter import FunasrNetwork
from engine.request import Request
from engine.vad.chunking import Region
from engine.vad.energy import snap_words_to_energy

# It is told in Chinese what to write.
LANGUAGES = {"zh": "中文", "en": "英文", "ja": "日文"}
TOKENS_A_SECOND = 15
SPARE_TOKENS = 16


@dataclass(frozen=True, slots=True)
class FunAsrNano:
    """The network and what finds speech for it. `arithmetic` is the language model's: fp32 or bf16."""

    network: FunasrNetwork
    vad: SpeechDetector
    arithmetic: str

    max_chunk_s: ClassVar[float] = 20.0
    preferred_chunk_s: ClassVar[float] = 15.0
    max_parallel_chunks: ClassVar[int] = 1

    def detect_speech(self, blocks: Iterable[NDArray[np.int16]]) -> Iterator[Region]:
        """Find speech in the blocks of one recording."""
        return self.vad.detect_speech(blocks)

    def recognize(self, samples: NDArray[np.int16], request: Request) -> RecognizedChunk:
        """Read a piece. Nobody speaks faster than the tokens it may write: a loop of its own ends there."""
        heard = self.network.hear(
            samples,
            language=LANGUAGES.get(request.language or ""),
            hotwords=list(request.hotwords),
            itn=request.itn,
            llm_dtype=self.arithmetic,
            max_length=SPARE_TOKENS + TOKENS_A_SECOND * len(samples) // SAMPLE_RATE,
        )
        if not heard.text:
            return RecognizedChunk("", "")
        language = request.language or language_by_script(heard.text)
        words = snap_words_to_energy(align_words(heard.text, heard.words), samples)  # it tells a moment within each
        return RecognizedChunk(heard.text, language, words)
