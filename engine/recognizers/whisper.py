"""Recognizes speech with OpenAI's Whisper: text, language, word times, and a check that it is speech at all."""

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
from engine.scripts import has_letters
from engine.vad.chunking import Region
from engine.vad.energy import snap_words_to_energy

if TYPE_CHECKING:
    import torch
    from whisper.decoding import DecodingResult
    from whisper.model import Whisper

# OpenAI's own thresholds, from whisper.transcribe.
MAX_NO_SPEECH = 0.6
MIN_LOGPROB = -1.0
MAX_COMPRESSION = 2.4
# Text for tones mostly has a lower mean log probability. Speech has more than -0.6, also in loud noise; more than -1
# where two speak at once; more than -1.5 where a single word is cut out.
MIN_SPEECH_LOGPROB = -1.5
# The subtitles that it was trained on describe sounds in brackets: "(beeping)", "[Music]". Brackets are suppressed in
# decoding, and it writes "you" or "Beeping." instead. The probability of a bracket at the start, measured with tiny.en:
# 0.37 to 0.89 for sounds that it gave a text; up to 0.1 for speech in equally loud noise, 0.22 for a single word cut
# out. For music followed by speech it is up to 0.35, but there no_speech_prob is at most 0.13.
MIN_BRACKET_PROBABILITY = 0.3
MIN_NO_SPEECH_OF_SOUND = 0.2


class WhisperModel:
    """A Whisper network with a speech detector; one chunk at a time."""

    max_chunk_s = 29.5
    preferred_chunk_s = 25.0
    max_parallel_chunks = 1

    def __init__(self, network: Whisper, vad: SpeechDetector) -> None:
        """Wrap a loaded network."""
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
        """Recognize a chunk; the times of its words come from the decoder's cross-attention."""
        with self._lock:
            features = self._encode(samples)
            language = request.language or self._detect_language(features, request.languages)
            result = self._decode(features, language, request.hotwords)
            if _has_no_speech(result) or self._is_other_sound(result, features, language):
                return RecognizedChunk("", "")
            words = word_times(
                self._network, features, tuple(result.tokens), language=language, seconds=len(samples) / SAMPLE_RATE
            )
        return RecognizedChunk(result.text.strip(), language, snap_words_to_energy(words, samples))

    def _encode(self, samples: NDArray[np.int16]) -> torch.Tensor:
        """Run the encoder once, for language, text and word times."""
        import torch  # noqa: PLC0415 - only where a model is loaded
        import whisper  # noqa: PLC0415 - as above

        waveform = whisper.pad_or_trim(samples.astype(np.float32) / (1 << 15))
        mel = whisper.log_mel_spectrogram(waveform, self._network.dims.n_mels).to(self._network.device)
        with torch.inference_mode():
            encoded: torch.Tensor = self._network.encoder((mel.half() if self._is_half_precision else mel)[None])
        return encoded

    @property
    def _is_half_precision(self) -> bool:
        return bool(self._network.device.type == "cuda")

    def _detect_language(self, features: torch.Tensor, allowed: tuple[str, ...]) -> str:
        if not self._network.is_multilingual:
            return "en"
        import whisper  # noqa: PLC0415 - only where a model is loaded

        _, (probabilities,) = whisper.detect_language(self._network, features)
        return str(max(allowed or probabilities, key=lambda code: probabilities.get(code, 0.0)))

    def _decode(self, features: torch.Tensor, language: str, hotwords: tuple[str, ...]) -> DecodingResult:
        """Decode greedily, and again with a beam of five where the text repeats itself or is unlikely."""
        import whisper  # noqa: PLC0415 - only where a model is loaded

        options: dict[str, object] = {
            "language": language,
            "without_timestamps": True,
            "fp16": self._is_half_precision,
            # A sentence, because Whisper continues in the style of its prompt: after bare words it leaves out marks.
            # The first hotwords last, because it keeps only the end of a long prompt.
            "prompt": f"Glossary: {', '.join(reversed(hotwords))}." if hotwords else None,
        }
        (result,) = whisper.decode(self._network, features, whisper.DecodingOptions(**options))
        if result.compression_ratio > MAX_COMPRESSION or result.avg_logprob < MIN_LOGPROB:
            with isolated_process_state():  # it hands a tensor to numpy, which complains
                (result,) = whisper.decode(self._network, features, whisper.DecodingOptions(**options, beam_size=5))
        return result

    def _is_other_sound(self, result: DecodingResult, features: torch.Tensor, language: str) -> bool:
        """Tell whether the decoder would rather describe a sound in brackets than write a word."""
        if result.no_speech_prob < MIN_NO_SPEECH_OF_SOUND:
            return False
        import torch  # noqa: PLC0415 - only where a model is loaded
        from whisper.tokenizer import get_tokenizer  # noqa: PLC0415 - as above

        network = self._network
        tokenizer = get_tokenizer(network.is_multilingual, num_languages=network.num_languages, language=language)
        prompt = [*tokenizer.sot_sequence, tokenizer.no_timestamps]
        brackets = [tokenizer.encode(bracket)[0] for bracket in (" (", " [")]
        with torch.inference_mode():
            logits = network.decoder(torch.tensor([prompt], device=network.device), features)[0, -1]
        return float(logits.float().softmax(dim=-1)[brackets].sum()) > MIN_BRACKET_PROBABILITY


def load_whisper(path: Path, device: str) -> Whisper:
    """Load a .pt file in OpenAI's format. A damaged one raises many kinds of exceptions."""
    import whisper  # noqa: PLC0415 - only where a model is loaded

    network: Whisper = whisper.load_model(str(path), device=device)
    heads = whisper._ALIGNMENT_HEADS.get(path.stem)  # noqa: SLF001 - it looks them up by model name, and this is a path
    if heads is not None:
        with suppress(RuntimeError):  # of another size: only its name is that of an official model
            network.set_alignment_heads(heads)
    return network


def _has_no_speech(result: DecodingResult) -> bool:
    is_silent = result.no_speech_prob > MAX_NO_SPEECH and result.avg_logprob < MIN_LOGPROB
    is_guess = result.avg_logprob < MIN_SPEECH_LOGPROB
    return is_silent or is_guess or result.compression_ratio > MAX_COMPRESSION or not has_letters(result.text)
