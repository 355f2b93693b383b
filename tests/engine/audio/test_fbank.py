import shutil
from pathlib import Path

import kaldi_native_fbank
import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from engine.audio.fbank import FeatureStream, Frontend, log_mel
from engine.audio.samples import decode
from engine.runtime.torch_files import Floats
from tests.engine.sounds import mono

SECOND = 16_000
MELS = 80
NOISE = np.random.default_rng(0).normal(0, 3_000, 3 * SECOND).astype(np.int16)
TIMES = np.arange(3 * SECOND) / SECOND
SOUNDS = {
    "noise": NOISE,
    "a whisper of noise": np.random.default_rng(1).normal(0, 1, SECOND).astype(np.int16),
    "a tone": (16_000 * np.sin(2 * np.pi * 440 * TIMES)).astype(np.int16),
    "a faint tone far from zero": (20_000 + 2 * np.sin(2 * np.pi * 440 * TIMES)).astype(np.int16),
    "the loudest there can be": np.where(NOISE > 0, 32_767, -32_768).astype(np.int16),
    "silence": np.zeros(SECOND, np.int16),
    "silence far from zero": np.full(SECOND, 12_345, np.int16),
}


def kaldi(samples: NDArray[np.int16]) -> Floats:
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.dither = 0.0
    options.frame_opts.window_type = "hamming"
    options.mel_opts.num_bins = MELS
    options.energy_floor = 0.0
    bank = kaldi_native_fbank.OnlineFbank(options)
    bank.accept_waveform(SECOND, samples.astype(np.float32))
    bank.input_finished()
    return np.stack([bank.get_frame(number) for number in range(bank.num_frames_ready)])


def assert_same_energies(ours: Floats, theirs: Floats) -> None:
    """Compare within what both lose to rounding: it is much only in bands that hold next to nothing of a frame."""
    assert ours.shape == theirs.shape
    assert ours.dtype == np.float32
    whole = np.exp(theirs).sum(axis=1, keepdims=True)
    assert (np.abs(np.exp(ours) - np.exp(theirs)) <= 1e-5 * whole).all()
    assert np.quantile(np.abs(ours - theirs), 0.999) < 1e-4


@pytest.mark.parametrize("sound", SOUNDS)
def test_energies_of_made_sounds_are_kaldi_s(sound: str) -> None:
    assert_same_energies(log_mel(SOUNDS[sound], MELS), kaldi(SOUNDS[sound]))


def test_energies_of_speech_are_kaldi_s(sample: Path) -> None:
    samples = decode(sample, max_audio_s=60).samples
    assert_same_energies(log_mel(samples, MELS), kaldi(samples))


def test_energies_of_the_clips_are_kaldi_s(shared: Path) -> None:
    for name in ("en_jfk.flac", "zh_voice_message.ogg", "zh_vad_example_70s.wav", "robustness/noise1.wav"):
        samples = mono(decode(shared / "clips" / name, max_audio_s=100))
        assert_same_energies(log_mel(samples, MELS), kaldi(samples))


@pytest.fixture
def folder(starter_models_dir: Path, tmp_path: Path) -> Path:
    """Give a copy of a model folder, to be spoilt."""
    return shutil.copytree(starter_models_dir / "fsmn-vad", tmp_path / "model")


def frontend_of(folder: Path, *, stacked: int, step: int) -> Frontend:
    """Give a front end as the settings of a model would, with statistics of its own."""
    settings = f"frontend_conf:\n  n_mels: {MELS}\n  lfr_m: {stacked}\n  lfr_n: {step}\n"
    (folder / "config.yaml").write_text(settings, encoding="utf-8")
    numbers = np.random.default_rng(0).uniform(-9, -8, MELS * stacked).tolist()
    rows = [f"<{name}> 1 1\n<LearnRateCoef> 0 [ {' '.join(map(str, numbers))} ]" for name in ("AddShift", "Rescale")]
    (folder / "am.mvn").write_text("<Nnet>\n<Splice> 1 1\n[ 0 ]\n" + "\n".join(rows) + "\n</Nnet>\n", encoding="utf-8")
    return Frontend.load(folder)


@pytest.mark.parametrize(("stacked", "step"), [(7, 6), (5, 1), (1, 1), (7, 3)])
def test_rows_are_those_of_funasr_s_front_end(folder: Path, sample: Path, stacked: int, step: int) -> None:
    import torch  # noqa: PLC0415 - not before a test needs it
    from funasr.frontends.wav_frontend import WavFrontend  # noqa: PLC0415 - as above

    ours = frontend_of(folder, stacked=stacked, step=step)
    theirs = WavFrontend(str(folder / "am.mvn"), lfr_m=stacked, lfr_n=step, dither=0.0)
    samples = decode(sample, max_audio_s=60).samples
    for length in (400, 1_040, 1_600, 5_000, SECOND, SECOND + 160, 2 * SECOND + 77, len(samples)):
        waveform = torch.from_numpy(samples[:length] / np.float32(1 << 15))
        expected, _ = theirs(waveform[None], torch.tensor([length]))
        np.testing.assert_allclose(ours.features(samples[:length]), expected[0].numpy(), atol=1e-2, rtol=1e-4)


@given(st.lists(st.integers(0, SECOND), max_size=8), st.sampled_from([(7, 6), (5, 1), (1, 1), (7, 3), (4, 2)]))
def test_rows_do_not_depend_on_the_blocks(cuts: list[int], shape: tuple[int, int]) -> None:
    stacked, step = shape
    ones = np.ones(MELS * stacked, np.float32)
    frontend = Frontend(mels=MELS, stacked=stacked, step=step, shift=ones, scale=ones)
    samples = NOISE[: max(cuts, default=0)]
    stream = FeatureStream(frontend)
    blocks = np.split(samples, sorted(cuts))
    rows = np.concatenate([*(stream.feed(block) for block in blocks), stream.finish()])
    np.testing.assert_allclose(rows, frontend.features(samples), atol=1e-3)


def test_the_middle_of_a_row_is_its_frame_and_the_edges_are_repeated() -> None:
    zeros = np.zeros(5 * MELS, np.float32)
    frontend = Frontend(mels=MELS, stacked=5, step=1, shift=zeros, scale=zeros + 1)
    frames = log_mel(NOISE[:SECOND], MELS)
    rows = frontend.features(NOISE[:SECOND]).reshape(-1, 5, MELS)
    np.testing.assert_array_equal(rows[:, 2], frames)
    np.testing.assert_array_equal(rows[0], frames[[0, 0, 0, 1, 2]])
    np.testing.assert_array_equal(rows[-1], frames[[-3, -2, -1, -1, -1]])


@pytest.mark.parametrize("length", [0, 1, 399])
def test_less_than_a_frame_has_no_rows(starter_models_dir: Path, length: int) -> None:
    frontend = Frontend.load(starter_models_dir / "fsmn-vad")
    assert frontend.features(NOISE[:length]).shape == (0, 400)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ("frontend_conf: {fs: 8000}", "config.yaml, frontend_conf.fs"),
        ("frontend_conf: {window: povey}", "config.yaml, frontend_conf.window"),
        ("frontend_conf: {lfr_m: 7}", "am.mvn does not fit"),
        ("frontend_conf: [", "config.yaml is damaged"),
        ("frontend: WavFrontend", "config.yaml, frontend_conf"),
        ("nothing", "config.yaml"),
    ],
)
def test_unsupported_settings_are_named(folder: Path, wrong: str, named: str) -> None:
    (folder / "config.yaml").write_text(wrong, encoding="utf-8")
    with pytest.raises(ValueError, match=named):
        Frontend.load(folder)


def test_damaged_statistics_are_named(folder: Path) -> None:
    (folder / "am.mvn").write_bytes(b"<AddShift> [ 1 2")
    with pytest.raises(ValueError, match=r"am\.mvn is damaged"):
        Frontend.load(folder)
