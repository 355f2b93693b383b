from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from engine.audio.fbank import Frontend
from engine.audio.samples import decode
from engine.pipeline.batching import BatchLimits
from engine.pipeline.transcribe import RecognizedChunk
from engine.recognizers.funasr_adapter import load_network
from engine.recognizers.sensevoice import SenseVoice
from engine.recognizers.sensevoice_torch import (
    QUERIES,
    Arithmetic,
    BatchedModel,
    ChunkFeatures,
    SenseVoiceNetwork,
    load_sensevoice,
)
from engine.request import Request
from engine.runtime.onnx import Network
from engine.vad.detector import VoiceActivityDetector
from tests.engine.folders import exported

if TYPE_CHECKING:
    from torch import nn

SECOND = 16_000
LENGTHS_S = (0.3, 1.0, 2.7, 2.8, 4.0, 9.0)


def module_of(folder: Path) -> nn.Module:
    return cast("nn.Module", load_network("model", folder, device="cpu", threads=2).module)


@cache
def network_of(folder: Path, arithmetic: Arithmetic = "fp32") -> SenseVoiceNetwork:
    return SenseVoiceNetwork.on(module_of(folder), "cpu", arithmetic)


def chunks_of(folder: Path, samples: NDArray[np.int16]) -> list[ChunkFeatures]:
    frontend = Frontend.load(folder)
    cuts = [samples[: round(seconds * SECOND)] for seconds in LENGTHS_S]
    return [ChunkFeatures(frontend.features(cut), number % 2 * 4, 14 + number % 2) for number, cut in enumerate(cuts)]


@pytest.fixture(scope="module")
def speech(sample: Path) -> NDArray[np.int16]:
    return decode(sample, max_audio_s=60).samples


def test_it_scores_as_the_exported_network_does(tiny: Path, exports_dir: Path, speech: NDArray[np.int16]) -> None:
    network, onnx = network_of(tiny), Network(exported(tiny, exports_dir, "fp32"))
    for chunk in chunks_of(tiny, speech):
        language, itn = (np.array([query], np.int64) for query in (chunk.language, chunk.itn))
        tags, tokens = onnx.run("tags", "tokens", speech=chunk.rows[np.newaxis], language=language, itn=itn)
        (scores,) = network.run_batch([chunk])
        np.testing.assert_allclose(scores.tags, tags[0], atol=1e-4)
        assert (scores.tokens == tokens[0]).all()


def test_a_batch_gives_each_piece_what_it_has_alone(tiny: Path, speech: NDArray[np.int16]) -> None:
    import torch  # noqa: PLC0415 - not before a model is loaded

    network, chunks = network_of(tiny), chunks_of(tiny, speech)
    together = network.encode(chunks)
    for rows, scores, chunk in zip(together, network.run_batch(chunks), chunks, strict=True):
        alone = network.encode([chunk])[0]
        torch.testing.assert_close(rows[: len(alone)], alone, atol=1e-5, rtol=1e-5)
        (scores_alone,) = network.run_batch([chunk])
        assert (scores.tokens == scores_alone.tokens).all()
        assert scores.tokens.shape == (len(chunk.rows),)
        np.testing.assert_allclose(scores.tags, scores_alone.tags, atol=1e-4)
        assert scores.tags.shape[0] == QUERIES


def batched(folder: Path, arithmetic: Arithmetic, vad: VoiceActivityDetector) -> SenseVoice:
    """Give what reads as on a GPU."""
    model = load_sensevoice(module_of(folder), folder, vad, device="cpu", arithmetic=arithmetic)
    limits = BatchLimits(window_s=0.05, max_total=1_000, min_length_ratio=0.5)
    return SenseVoice(BatchedModel(network_of(folder, arithmetic), limits), model.frontend, model.tokenizer, vad, 8)


@pytest.fixture(scope="module")
def vad(starter_models_dir: Path) -> VoiceActivityDetector:
    return VoiceActivityDetector.load("fsmn-vad", starter_models_dir / "fsmn-vad")


def test_threads_that_read_together_have_the_text_that_each_has_alone(
    tiny: Path, speech: NDArray[np.int16], vad: VoiceActivityDetector
) -> None:
    alone, together = (
        load_sensevoice(module_of(tiny), tiny, vad, device="cpu", arithmetic="fp32"),
        batched(tiny, "fp32", vad),
    )
    chunks = [speech[start : start + SECOND * length] for start in (0, 40_000) for length in (1, 2, 3, 5)]

    def recognize(chunk: NDArray[np.int16]) -> RecognizedChunk:
        return together.recognize(chunk, Request())

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(recognize, chunks)) == [alone.recognize(chunk, Request()) for chunk in chunks]


def test_bf16_scores_as_fp32_does_within_its_digits(tiny: Path, speech: NDArray[np.int16]) -> None:
    exact, short = network_of(tiny), network_of(tiny, "bf16")
    assert "torch.bfloat16" in {str(weight.dtype) for weight in short.module.parameters()}
    for chunk in chunks_of(tiny, speech):
        (expected,), (found,) = (network.run_batch([chunk]) for network in (exact, short))
        assert found.tags.dtype == np.float32
        assert 0 < np.abs(found.tags - expected.tags).max() < 0.02 * np.abs(expected.tags).max()


def test_a_batch_in_bf16_gives_each_piece_nearly_what_it_has_alone(tiny: Path, speech: NDArray[np.int16]) -> None:
    network, chunks = network_of(tiny, "bf16"), chunks_of(tiny, speech)
    for scores, chunk in zip(network.run_batch(chunks), chunks, strict=True):
        (alone,) = network.run_batch([chunk])
        np.testing.assert_allclose(scores.tags, alone.tags, atol=0.02 * np.abs(alone.tags).max())


@pytest.mark.parametrize("seconds", [20, pytest.param(70, marks=pytest.mark.slow)])
def test_bf16_reads_nearly_the_same_text_even_with_weights_that_are_unsure_of_themselves(
    shared: Path, vad: VoiceActivityDetector, seconds: int
) -> None:
    folder = shared / "models/sensevoice-charctc"
    exact, short = (batched(folder, arithmetic, vad) for arithmetic in ("fp32", "bf16"))
    samples = decode(shared / "clips/zh_vad_example_70s.wav", max_audio_s=100).samples[: seconds * SECOND]
    chunks = [samples[region.start : region.end] for region in exact.detect_speech([samples])]
    with ThreadPoolExecutor(8) as threads:
        texts = list(threads.map(lambda chunk: exact.recognize(chunk, Request()).text, chunks))
        others = list(threads.map(lambda chunk: short.recognize(chunk, Request()).text, chunks))
    assert sum(map(len, texts)) > seconds
    wrong = sum(Levenshtein.distance(text, other) for text, other in zip(texts, others, strict=True))
    assert wrong <= 0.1 * sum(map(len, texts))
