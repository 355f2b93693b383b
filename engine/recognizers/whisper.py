"""Whisper as OpenAI published it: reads a piece, tells its language, and when each word was said."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.audio import SAMPLE_RATE
from engine.pipeline.transcribe import RecognizedChunk, SpeechDetector
from engine.recognizers.funasr_isolation import isolated_process_state
from engine.recognizers.whisper_words import word_times
from engine.request import Request
from engine.vad.chunking import Region
from engine.vad.energy import snap_words_to_energy

if TYPE_CHECKING:
    import torch
    from whisper.decoding import DecodingResult
    from whisper.model import Whisper

# OpenAI's own thresholds, from whisper.transcribe.
NO_SPEECH = 0.6
LOW_LOGPROB = -1.0
LOOPING = 2.4
# Of tones it mostly writes what is less sure. Speech is above -0.6, also in loud noise; above -1 where two speak at
# once; above -1.5 where a word is cut out alone.
GUESSED_LOGPROB = -1.5
# Subtitles, of which it learnt, tell of a sound in brackets: "(beeping)", "[Music]". It is not let write them, and
# writes "you" or "Beeping." instead. Measured with tiny.en, how likely it would begin with a bracket: 0.37 to 0.89 for
# sounds that it gave a text; up to 0.1 for speech in noise as loud, and 0.22 for a word cut out alone. Before music and
# then speech it is up to 0.35, where it is sure that somebody speaks: 0.13 at most that nobody does.
DESCRIBED = 0.3
DOUBTED_SPEECH = 0.2


class WhisperModel:
    """Whisper's network and a voice activity detector, used by one thread at a time."""

    max_chunk_s = 29.5
    preferred_chunk_s = 25.0
    max_parallel_chunks = 1

    def __init__(self, network: Whisper, vad: SpeechDetector) -> None:
        """Take a loaded network."""
        from whisper.tokenizer import get_tokenizer  # noqa: PLC0415 - only where a model is loaded

        self._lock = threading.Lock()
        self._network = network
        self._vad = vad
        with isolated_process_state():  # its vocabulary file is left open the first time
            get_tokenizer(network.is_multilingual, num_languages=network.num_languages)

    def detect_speech(self, blocks: Iterable[NDArray[np.int16]]) -> Iterator[Region]:
        """Find speech in the blocks of one recording."""
        return self._vad.detect_speech(blocks)

    def recognize(self, samples: NDArray[np.int16], request: Request) -> RecognizedChunk:
        """Read a piece; its words come from where the decoder looked while it wrote them."""
        with self._lock:
            features = self._features(samples)
            language = request.language or self._language(features, request.languages)
            result = self._decoded(features, language, request.hotwords)
            if _is_nothing(result) or self._is_a_sound(result, features, language):
                return RecognizedChunk("", "")
            words = word_times(
                self._network, features, tuple(result.tokens), language=language, seconds=len(samples) / SAMPLE_RATE
            )
        return RecognizedChunk(result.text.strip(), language, snap_words_to_energy(words, samples))

    def _features(self, samples: NDArray[np.int16]) -> torch.Tensor:
        """Encode the sound once, for the language, the text and the times."""
        import torch  # noqa: PLC0415 - only where a model is loaded
        import whisper  # noqa: PLC0415 - as above

        waveform = whisper.pad_or_trim(samples.astype(np.float32) / (1 << 15))
        mel = whisper.log_mel_spectrogram(waveform, self._network.dims.n_mels).to(self._network.device)
        with torch.inference_mode():
            encoded: torch.Tensor = self._network.encoder((mel.half() if self._halves else mel)[None])
        return encoded

    @property
    def _halves(self) -> bool:
        return bool(self._network.device.type == "cuda")

    def _language(self, features: torch.Tensor, allowed: tuple[str, ...]) -> str:
        if not self._network.is_multilingual:
            return "en"
        import whisper  # noqa: PLC0415 - only where a model is loaded

        _, (probabilities,) = whisper.detect_language(self._network, features)
        return str(max(allowed or probabilities, key=lambda code: probabilities.get(code, 0.0)))

    def _decoded(self, features: torch.Tensor, language: str, hotwords: tuple[str, ...]) -> DecodingResult:
        """Write the text: greedily first, and with a search of five where that repeats itself or is unsure."""
        import whisper  # noqa: PLC0415 - only where a model is loaded

        options: dict[str, object] = {
            "language": language,
            "without_timestamps": True,
            "fp16": self._halves,
            # As a sentence: Whisper goes on in the manner of its prompt, and after bare words it leaves out marks.
            # The first ones last, because of a long prompt it keeps the end.
            "prompt": f"Glossary: {', '.join(reversed(hotwords))}." if hotwords else None,
        }
        (result,) = whisper.decode(self._network, features, whisper.DecodingOptions(**options))
        if result.compression_ratio > LOOPING or result.avg_logprob < LOW_LOGPROB:
            with isolated_process_state():  # it hands a tensor to numpy, which complains
                (result,) = whisper.decode(self._network, features, whisper.DecodingOptions(**options, beam_size=5))
        return result

    def _is_a_sound(self, result: DecodingResult, features: torch.Tensor, language: str) -> bool:
        """Tell whether it would rather have described a sound than written a word."""
        if result.no_speech_prob < DOUBTED_SPEECH:
            return False
        import torch  # noqa: PLC0415 - only where a model is loaded
        from whisper.tokenizer import get_tokenizer  # noqa: PLC0415 - as above

        network = self._network
        tokenizer = get_tokenizer(network.is_multilingual, num_languages=network.num_languages, language=language)
        prompt = [*tokenizer.sot_sequence, tokenizer.no_timestamps]
        brackets = [tokenizer.encode(bracket)[0] for bracket in (" (", " [")]
        with torch.inference_mode():
            logits = network.decoder(torch.tensor([prompt], device=network.device), features)[0, -1]
        return float(logits.float().softmax(dim=-1)[brackets].sum()) > DESCRIBED


def load_whisper(path: Path, device: str) -> Whisper:
    """Load OpenAI's own file. What it raises for a damaged one is many things."""
    import whisper  # noqa: PLC0415 - only where a model is loaded

    network: Whisper = whisper.load_model(str(path), device=device)
    heads = whisper._ALIGNMENT_HEADS.get(path.stem)  # noqa: SLF001 - it keeps them for names alone, and we give a path
    if heads is not None:
        with suppress(RuntimeError):  # of another size: it has no more than its name in common
            network.set_alignment_heads(heads)
    return network


def _is_nothing(result: DecodingResult) -> bool:
    silent = result.no_speech_prob > NO_SPEECH and result.avg_logprob < LOW_LOGPROB
    guessed = result.avg_logprob < GUESSED_LOGPROB
    return silent or guessed or result.compression_ratio > LOOPING or not any(map(str.isalnum, result.text))
