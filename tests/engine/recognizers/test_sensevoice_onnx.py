import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from engine.audio import SAMPLE_RATE
from engine.audio.fbank import Frontend
from engine.audio.samples import decode
from engine.errors import AudioFault
from engine.recognizers.funasr_isolation import isolated_process_state
from engine.recognizers.sensevoice import SenseVoice, Tokenizer, tokenizer_file
from engine.recognizers.sensevoice_onnx import quantize
from engine.request import Request
from engine.runtime.cpu import cpu_flags, int8_support
from engine.runtime.onnx import Network, NetworkBroken
from engine.runtime.precision import Precision, int8_variant
from engine.vad.detector import VoiceActivityDetector
from tests.engine.folders import exported
from tests.engine.sounds import mono

Floats = NDArray[np.float32]
CLIPS = ("en_jfk.flac", "en_librivox_sense_0880.wav", "zh_funasr_asr_example.wav", "zh_voice_message.ogg")


class Original:
    """FunASR's own way from samples to text, with what its encoder gave on the way."""

    def __init__(self, folder: Path, vad: Path | None = None) -> None:
        detection = {"vad_model": str(vad), "vad_kwargs": {"max_end_silence_time": 800}} if vad else {}
        with isolated_process_state():
            from funasr import AutoModel  # noqa: PLC0415 - not before a test needs it

            self._model = AutoModel(
                model=str(folder), disable_update=True, disable_pbar=True, log_level="ERROR", ncpu=1, **detection
            )
        self._model.kwargs["frontend"].dither = 0.0
        self._model.model.encoder.register_forward_hook(lambda _, __, output: self._keep(output[0].numpy()))

    def recognize(self, samples: NDArray[np.int16], language: str) -> str:
        waveform = samples.astype(np.float32) / (1 << 15)
        found = self._model.generate(input=waveform, language=language, use_itn=True, ncpu=1, batch_size_s=0)
        return re.sub(r"<\|[^|]*\|>", "", "".join(part["text"] for part in found)).strip()

    def _keep(self, encoded: Floats) -> None:
        self.encoded = encoded.copy()


def opened(folder: Path, models_dir: Path, vad: Path, precision: Precision = "fp32") -> SenseVoice:
    return SenseVoice(
        network=Network(exported(folder, models_dir, precision)),
        frontend=Frontend.load(folder),
        tokenizer=Tokenizer(tokenizer_file(folder)),
        vad=VoiceActivityDetector.load("sensevoice", vad),
        max_parallel_chunks=2,
    )


def encoded(model: SenseVoice, rows: Floats, queries: tuple[int, int]) -> Floats:
    language, itn = (np.full(len(rows), query, np.int64) for query in queries)
    [found] = model.network.run("encoded", speech=rows, language=language, itn=itn)
    return found.astype(np.float32)


NEAR = 1e-4
NEAR_BESIDE_MILLIONS = 1e-3  # the model with real weights adds up numbers of a million, of which float32 keeps 0.06


QUERIES = {"auto": 0, "en": 4, "yue": 7}


def assert_the_same(model: SenseVoice, original: Original, samples: NDArray[np.int16], near: float = NEAR) -> None:
    for language, query in QUERIES.items():
        text = original.recognize(samples, language)
        ours = encoded(model, model.frontend.features(samples)[np.newaxis], (query, 14))
        scale = np.maximum(1, np.abs(original.encoded).max(axis=(0, 1)))
        assert (np.abs(ours - original.encoded) / scale).max() <= near
        request = Request(language=None if language == "auto" else language)
        assert model.recognize(samples, request).text == text


def test_fp32_gives_the_numbers_and_texts_of_the_original(
    tiny: Path, starter_models_dir: Path, sample: Path, exports_dir: Path
) -> None:
    model = opened(tiny, exports_dir, starter_models_dir / "fsmn-vad")
    original = Original(tiny)
    samples = decode(sample, max_audio_s=60).samples
    for length in (len(samples), 16_001, 3_200):
        assert_the_same(model, original, samples[:length])


@pytest.mark.parametrize("seconds", [5, pytest.param(20, marks=pytest.mark.slow)])
def test_fp32_reads_real_speech_as_the_original_does(
    shared: Path, starter_models_dir: Path, exports_dir: Path, seconds: int
) -> None:
    folder = shared / "models/sensevoice-charctc"
    model, original = opened(folder, exports_dir, starter_models_dir / "fsmn-vad"), Original(folder)
    for clip in CLIPS:
        samples = mono(decode(shared / "clips" / clip, max_audio_s=60))[: seconds * SAMPLE_RATE]
        assert_the_same(model, original, samples, NEAR_BESIDE_MILLIONS)
        assert model.recognize(samples, Request()).text


@pytest.mark.slow
def test_every_clip_reads_as_funasr_reads_it_with_its_own_detector(
    shared: Path, starter_models_dir: Path, exports_dir: Path
) -> None:
    """Region by region, as AutoModel does: the engine itself joins regions, and gives them margins."""
    folder, vad = shared / "models/sensevoice-charctc", starter_models_dir / "fsmn-vad"
    model, original = opened(folder, exports_dir, vad), Original(folder, vad)
    compared = 0
    for samples in readable(shared / "clips"):
        texts = [model.recognize(samples[start:end], Request()).text for start, end in model.detect_speech([samples])]
        assert letters(" ".join(texts)) == letters(original.recognize(samples, "auto"))
        compared += bool(texts)
    assert compared >= len(CLIPS)


def readable(folder: Path) -> Iterator[NDArray[np.int16]]:
    for path in sorted(folder.iterdir()):
        with suppress(AudioFault):
            yield mono(decode(path, max_audio_s=600))


def letters(text: str) -> str:
    return "".join(text.split())


def noise(pieces: int) -> Floats:
    return np.random.default_rng(0).normal(0, 1, (pieces, 30, 560)).astype(np.float32)


def test_pieces_of_one_length_may_be_read_together(tiny: Path, starter_models_dir: Path, exports_dir: Path) -> None:
    model = opened(tiny, exports_dir, starter_models_dir / "fsmn-vad")
    both = encoded(model, noise(2), (3, 15))
    alone = [encoded(model, noise(2)[number : number + 1], (3, 15))[0] for number in range(2)]
    assert np.abs(both - alone).max() <= 1e-4


def test_int8_is_near_to_fp32(tiny: Path, starter_models_dir: Path, exports_dir: Path) -> None:
    precisions: tuple[Precision, ...] = ("fp32", int8_variant(int8_support(cpu_flags())))
    models = [opened(tiny, exports_dir, starter_models_dir / "fsmn-vad", precision) for precision in precisions]
    exact, near = (encoded(model, noise(1), (3, 15)).ravel() for model in models)
    assert (exact != near).any()
    assert np.corrcoef(exact, near)[0, 1] >= 0.95


def test_a_file_that_is_no_network_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "fp32.onnx"
    path.write_bytes(b"nothing")
    with pytest.raises(NetworkBroken):
        Network(path)


def matrices(seed: int) -> Floats:
    return np.random.default_rng(seed).normal(0, 1, (9, 4)).astype(np.float32)


@given(st.integers(0, 1 << 30), st.sampled_from([63, 127]))
def test_rounded_weights_are_as_near_as_whole_numbers_can_be(seed: int, largest: int) -> None:
    matrix = matrices(seed)
    whole, scale = quantize(matrix, largest)
    assert np.abs(whole).max() == largest
    assert (np.abs(whole * scale - matrix) <= scale * 0.501).all()


def test_weights_that_are_nothing_stay_nothing() -> None:
    whole, scale = quantize(np.zeros((3, 2), np.float32), 127)
    assert not (whole * scale).any()


def test_two_products_of_halved_weights_fit_into_sixteen_bits() -> None:
    whole, _ = quantize(matrices(0), 63)
    assert 2 * 255 * int(np.abs(whole.astype(np.int32)).max()) <= np.iinfo(np.int16).max
