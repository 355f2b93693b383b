from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.audio.fbank import Frontend
from engine.audio.samples import decode
from engine.pipeline.batching import Limits
from engine.pipeline.transcribe import RecognizedChunk
from engine.recognizers.funasr_adapter import load_network
from engine.recognizers.sensevoice import SenseVoice
from engine.recognizers.sensevoice_torch import (
    QUERIES,
    Arithmetic,
    BatchedModel,
    Question,
    SenseVoiceNetwork,
    load_sensevoice,
    put_on,
    shape_of,
)
from engine.request import Request
from engine.runtime.precision import differences
from engine.runtime.torch_files import read_weights
from engine.vad.detector import VoiceActivityDetector

SECOND = 16_000
LENGTHS_S = (0.3, 1.0, 2.7, 2.8, 4.0, 9.0)


def network_of(folder: Path, arithmetic: Arithmetic = "fp32") -> SenseVoiceNetwork:
    return put_on(read_weights(folder), shape_of(folder), device="cpu", arithmetic=arithmetic)


def questions(folder: Path, samples: NDArray[np.int16]) -> list[Question]:
    frontend = Frontend.load(folder)
    pieces = [samples[: round(seconds * SECOND)] for seconds in LENGTHS_S]
    return [Question(frontend.features(piece), number % 2 * 4, 14) for number, piece in enumerate(pieces)]


@pytest.fixture(scope="module")
def speech(sample: Path) -> NDArray[np.int16]:
    return decode(sample, max_audio_s=60).samples


def test_it_hears_what_funasr_s_network_hears(tiny: Path, speech: NDArray[np.int16]) -> None:
    import torch  # noqa: PLC0415 - not before a model is loaded

    theirs = load_network("tiny", tiny, device="cpu", threads=1).module
    assert isinstance(theirs, torch.nn.Module)
    embed, encoder = theirs.get_submodule("embed"), theirs.get_submodule("encoder")
    for question in questions(tiny, speech):
        with torch.inference_mode():
            queries = embed(torch.tensor([[question.language, 1, 2, question.itn]]))
            rows = torch.cat([queries, torch.from_numpy(question.rows)[None]], dim=1)
            expected, _ = encoder(rows, torch.tensor([rows.shape[1]]))
        torch.testing.assert_close(network_of(tiny).encoded([question]), expected, atol=1e-4, rtol=1e-4)


def test_a_batch_gives_each_piece_what_it_has_alone(tiny: Path, speech: NDArray[np.int16]) -> None:
    import torch  # noqa: PLC0415 - not before a model is loaded

    network, asked = network_of(tiny), questions(tiny, speech)
    together = network.encoded(asked)
    for piece, answer, question in zip(together, network.answer(asked), asked, strict=True):
        alone = network.encoded([question])[0]
        torch.testing.assert_close(piece[: len(alone)], alone, atol=1e-5, rtol=1e-5)
        (answered_alone,) = network.answer([question])
        assert (answer.tokens == answered_alone.tokens).all()
        assert answer.tokens.shape == (len(question.rows),)
        np.testing.assert_allclose(answer.tags, answered_alone.tags, atol=1e-4)
        assert answer.tags.shape[0] == QUERIES


def batched(folder: Path, arithmetic: Arithmetic, vad: VoiceActivityDetector) -> SenseVoice:
    """Give what reads as on a GPU."""
    model = load_sensevoice(folder, vad, device="cpu", arithmetic=arithmetic)
    limits = Limits(window_s=0.05, most=1_000, shortest=0.5)
    return SenseVoice(BatchedModel(network_of(folder, arithmetic), limits), model.frontend, model.tokenizer, vad, 8)


@pytest.fixture(scope="module")
def vad(starter_models_dir: Path) -> VoiceActivityDetector:
    return VoiceActivityDetector.load("fsmn-vad", starter_models_dir / "fsmn-vad")


def test_threads_that_read_together_have_the_text_that_each_has_alone(
    tiny: Path, speech: NDArray[np.int16], vad: VoiceActivityDetector
) -> None:
    alone, together = load_sensevoice(tiny, vad, device="cpu", arithmetic="fp32"), batched(tiny, "fp32", vad)
    pieces = [speech[start : start + SECOND * length] for start in (0, 40_000) for length in (1, 2, 3, 5)]

    def recognize(piece: NDArray[np.int16]) -> RecognizedChunk:
        return together.recognize(piece, Request())

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(recognize, pieces)) == [alone.recognize(piece, Request()) for piece in pieces]


def test_bf16_scores_as_fp32_does_within_its_digits(tiny: Path, speech: NDArray[np.int16]) -> None:
    for question in questions(tiny, speech):
        (exact,), (short,) = (network_of(tiny, arithmetic).answer([question]) for arithmetic in ("fp32", "bf16"))
        assert 0 < np.abs(short.tags - exact.tags).max() < 0.02 * np.abs(exact.tags).max()


def test_bf16_reads_nearly_the_same_text_even_with_weights_that_are_unsure_of_themselves(
    shared: Path, vad: VoiceActivityDetector
) -> None:
    folder = shared / "models/sensevoice-charctc"
    exact, short = (batched(folder, arithmetic, vad) for arithmetic in ("fp32", "bf16"))
    samples = decode(shared / "clips/zh_vad_example_70s.wav", max_audio_s=100).samples
    pieces = [samples[region.start : region.end] for region in exact.detect_speech([samples])]
    with ThreadPoolExecutor(8) as threads:
        texts = list(threads.map(lambda piece: exact.recognize(piece, Request()).text, pieces))
        others = list(threads.map(lambda piece: short.recognize(piece, Request()).text, pieces))
    wrong = sum(differences(text, other) for text, other in zip(texts, others, strict=True))
    assert wrong <= 0.1 * sum(map(len, texts))
