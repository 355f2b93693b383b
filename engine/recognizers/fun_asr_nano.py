"""Recognizes speech with Fun-ASR-Nano: SenseVoice's encoder and a small language model, which also punctuates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.audio import SAMPLE_RATE
from engine.pipeline.transcribe import RecognizedChunk, SpeechDetector
from engine.pipeline.word_times import align_words
from engine.recognizers.funasr_adapter import FunasrNetwork
from engine.request import Request
from engine.scripts import language_by_script
from engine.vad.chunking import Region
from engine.vad.energy import snap_words_to_energy

# Its prompt names the language in Chinese.
LANGUAGES = {"zh": "中文", "en": "英文", "ja": "日文"}
TOKENS_PER_SECOND = 15
SPARE_TOKENS = 16


@dataclass(frozen=True, slots=True)
class FunAsrNano:
    """A network with a speech detector. `arithmetic` is the language model's: fp32 or bf16."""

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
        """Recognize a chunk. The number of tokens is limited to what fast speech needs, which ends repetition loops."""
        answer = self.network.infer(
            samples,
            language=LANGUAGES.get(request.language or ""),
            hotwords=list(request.hotwords),
            itn=request.itn,
            llm_dtype=self.arithmetic,
            max_length=SPARE_TOKENS + TOKENS_PER_SECOND * len(samples) // SAMPLE_RATE,
        )
        if not answer.text:
            return RecognizedChunk("", "")
        language = request.language or language_by_script(answer.text)
        # Its times are one moment within each word.
        words = snap_words_to_energy(align_words(answer.text, answer.words), samples)
        return RecognizedChunk(answer.text, language, words)
