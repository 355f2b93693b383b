import shutil
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from engine.audio.samples import decode
from engine.errors import AudioFault, ModelBroken
from engine.recognizers.funasr_isolation import isolated_process_state
from engine.vad.chunking import Region
from engine.vad.detector import VoiceActivityDetector
from tests.engine.sounds import mono

Samples = NDArray[np.int16]
Detect = Callable[[Samples], list[Region]]

PROJECT = Path(__file__).resolve().parents[3]
SECOND = 16_000
BLOCK = 20 * SECOND
PUBLISHED_MS = [
    (70, 2340),
    (2620, 6200),
    (6480, 23670),
    (23950, 26250),
    (26780, 28990),
    (29950, 31430),
    (31750, 37600),
    (38210, 46900),
    (47310, 49630),
    (49910, 56460),
    (56740, 59540),
    (59820, 70450),
]


@pytest.fixture(scope="module")
def vad(starter_models_dir: Path) -> VoiceActivityDetector:
    return VoiceActivityDetector.load("fsmn-vad", starter_models_dir / "fsmn-vad")


@pytest.fixture(scope="module")
def speech(sample: Path) -> Samples:
    return decode(sample, max_audio_s=60).samples


def in_blocks(samples: Samples, length: int) -> list[Samples]:
    return [samples[start : start + length] for start in range(0, len(samples), length)]


@pytest.fixture(scope="module")
def funasr(starter_models_dir: Path) -> Detect:
    """FunASR's own detector, in blocks of 20 s. Importing FunASR takes most of the time."""
    with isolated_process_state():
        from funasr import AutoModel  # noqa: PLC0415 - not before a test needs it

        model = AutoModel(
            model=str(starter_models_dir / "fsmn-vad"), disable_update=True, disable_pbar=True, device="cpu", ncpu=1
        )

    def detect(samples: Samples) -> list[Region]:
        cache: dict[str, object] = {}
        blocks = in_blocks(samples, BLOCK)
        regions: list[Region] = []
        begun_ms = 0
        for number, block in enumerate(blocks):
            [found] = model.generate(
                input=block / np.float32(1 << 15),
                cache=cache,
                is_final=number == len(blocks) - 1,
                is_streaming_input=True,
                chunk_size=len(block) // 16,
                max_end_silence_time=800,
            )
            for start_ms, end_ms in found["value"]:
                begun_ms = start_ms if start_ms >= 0 else begun_ms
                if end_ms >= 0:
                    regions.append(Region(begun_ms * 16, end_ms * 16))
        return regions

    return detect


@pytest.mark.parametrize("seconds", [1, 7, 20, 100])
def test_speech_is_where_the_model_s_authors_say_for_every_block_length(
    vad: VoiceActivityDetector, shared: Path, seconds: int
) -> None:
    samples = decode(shared / "clips/zh_vad_example_70s.wav", max_audio_s=100).samples
    found = vad.detect_speech(in_blocks(samples, seconds * SECOND))
    assert [(region.start // 16, region.end // 16) for region in found] == PUBLISHED_MS


def test_speech_is_where_funasr_finds_it(vad: VoiceActivityDetector, funasr: Detect, speech: Samples) -> None:
    quiet, steps = np.zeros(3 * SECOND, np.int16), np.geomspace(1, 0.001, 2 * len(speech))
    fading = (np.tile(speech, 2) * steps).astype(np.int16)
    for samples in (speech, np.concatenate([speech, quiet, speech[::-1], quiet, fading])):
        found = list(vad.detect_speech(in_blocks(samples, BLOCK)))
        assert found
        assert found == funasr(samples)


@pytest.mark.parametrize("seconds", [30, pytest.param(600, marks=pytest.mark.slow)])
def test_speech_in_the_clips_is_where_funasr_finds_it(
    vad: VoiceActivityDetector, funasr: Detect, shared: Path, seconds: int
) -> None:
    compared = 0
    for clip in decoded(shared / "clips", seconds):
        assert [region for region in vad.detect_speech(in_blocks(clip, BLOCK)) if not region.is_empty] == funasr(clip)
        compared += 1
    assert compared >= 12


def decoded(clips: Path, seconds: int) -> Iterator[Samples]:
    for path in (*clips.iterdir(), *clips.joinpath("robustness").iterdir()):
        try:
            yield mono(decode(path, max_audio_s=600))[: seconds * SECOND]
        except AudioFault:
            continue


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 10 * SECOND), max_size=8))
def test_regions_do_not_depend_on_the_blocks(vad: VoiceActivityDetector, speech: Samples, cuts: list[int]) -> None:
    assert list(vad.detect_speech(np.split(speech, sorted(cuts)))) == list(vad.detect_speech([speech]))


def test_silence_noise_and_a_tone_have_no_speech(vad: VoiceActivityDetector) -> None:
    noise = np.random.default_rng(0).normal(0, 3_000, BLOCK).astype(np.int16)
    tone = (10_000 * np.sin(2 * np.pi * 1_000 * np.arange(BLOCK) / SECOND)).astype(np.int16)
    for sound in (np.zeros(BLOCK, np.int16), noise, tone):
        assert list(vad.detect_speech(in_blocks(sound, SECOND))) == []


def test_recordings_of_silence_and_noise_have_no_speech(vad: VoiceActivityDetector, shared: Path) -> None:
    for name in ("silence_10s.wav", "noise1.wav"):
        samples = decode(shared / "clips/robustness" / name, max_audio_s=100).samples
        assert all(region.is_empty for region in vad.detect_speech(in_blocks(samples, BLOCK)))


def test_a_long_silence_is_marked_every_half_minute(vad: VoiceActivityDetector) -> None:
    blocks = in_blocks(np.zeros(100 * SECOND, np.int16), BLOCK)
    assert [round(region.end / SECOND) for region in vad.detect_speech(blocks)] == [30, 60, 90]


def test_no_audio_gives_no_regions(vad: VoiceActivityDetector) -> None:
    assert list(vad.detect_speech([])) == []
    assert list(vad.detect_speech([np.empty(0, np.int16)])) == []


@pytest.mark.parametrize("frames", [1_600, 1_601, 5_000, BLOCK + 1, BLOCK + 399])
def test_short_recordings_and_short_last_blocks_are_handled(
    vad: VoiceActivityDetector, speech: Samples, frames: int
) -> None:
    samples = np.resize(speech, frames)
    found = list(vad.detect_speech(in_blocks(samples, BLOCK)))
    assert all(0 <= region.start < region.end <= frames for region in found)
    assert all(earlier.end <= later.start for earlier, later in pairwise(found))


def test_two_recordings_can_be_searched_alternately(vad: VoiceActivityDetector, speech: Samples) -> None:
    alone = list(vad.detect_speech([speech]))
    both = [vad.detect_speech(in_blocks(speech, SECOND)), vad.detect_speech(in_blocks(speech, 2 * SECOND))]
    assert [list(pair) for pair in zip(*both, strict=True)] == [[region, region] for region in alone]


def test_threads_can_search_recordings_at_the_same_time(vad: VoiceActivityDetector, speech: Samples) -> None:
    recordings = [np.roll(speech, number * SECOND) for number in range(8)]
    alone = [list(vad.detect_speech([recording])) for recording in recordings]
    with ThreadPoolExecutor(len(recordings)) as threads:
        assert list(threads.map(lambda recording: list(vad.detect_speech([recording])), recordings)) == alone


def test_long_recordings_need_no_more_memory_than_short_ones(vad: VoiceActivityDetector, speech: Samples) -> None:
    def peak(times: int) -> int:
        tracemalloc.start()
        for _ in vad.detect_speech(speech for _ in range(times)):
            pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(1)
    assert peak(40) < peak(4) * 1.1


def test_neither_torch_nor_funasr_nor_more_threads_are_needed(starter_models_dir: Path) -> None:
    program = (
        "import pathlib, sys, numpy, threadpoolctl\nfrom engine.vad.detector import VoiceActivityDetector\n"
        f"VoiceActivityDetector.load('fsmn-vad', pathlib.Path({str(starter_models_dir / 'fsmn-vad')!r}))\n"
        "print({'torch', 'funasr', 'scipy', 'onnxruntime'} & set(sys.modules))\n"
        "print({pool['num_threads'] for pool in threadpoolctl.threadpool_info()} - {1})\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["set()", "set()"]


@pytest.fixture
def folder(starter_models_dir: Path, tmp_path: Path) -> Path:
    """Give a copy of the model folder, to be spoilt."""
    return shutil.copytree(starter_models_dir / "fsmn-vad", tmp_path / "model")


@pytest.mark.parametrize("missing", ["config.yaml", "model.pt", "am.mvn"])
def test_a_missing_file_is_named(folder: Path, missing: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(ModelBroken, match=f"{missing} is missing"):
        VoiceActivityDetector.load("mine", folder)


@pytest.mark.parametrize("damaged", ["config.yaml", "model.pt", "am.mvn"])
def test_a_damaged_file_is_named(folder: Path, damaged: str) -> None:
    (folder / damaged).write_bytes(b"\x00{[")
    with pytest.raises(ModelBroken, match=f"{damaged} is damaged") as fault:
        VoiceActivityDetector.load("mine", folder)
    assert fault.value.params["path"] == str(folder)


def test_a_file_that_is_a_folder_makes_the_model_broken(folder: Path) -> None:
    (folder / "model.pt").unlink()
    (folder / "model.pt").mkdir()
    with pytest.raises(ModelBroken):
        VoiceActivityDetector.load("mine", folder)


def test_weights_of_another_model_are_noticed(folder: Path) -> None:
    import torch  # noqa: PLC0415 - not before a test needs it

    torch.save({"another.weight": torch.zeros(3)}, folder / "model.pt")
    with pytest.raises(ModelBroken, match="do not fit"):
        VoiceActivityDetector.load("mine", folder)


@pytest.mark.parametrize(
    ("was", "now", "named"),
    [
        ("model: FsmnVADStreaming", "model: SenseVoiceSmall", "config.yaml, model"),
        ("lstride: 1", "lstride: 2", "config.yaml, encoder_conf.lstride"),
        ("decibel_thres: -100.0", "decibel_thres: -40.0", "config.yaml, model_conf.decibel_thres"),
        ("lfr_m: 5", "lfr_m: 7", "am.mvn does not fit config.yaml"),
        ("fsmn_layers: 4", "fsmn_layers: 5", "its weights do not fit its config.yaml"),
    ],
)
def test_another_kind_of_detector_is_refused(folder: Path, was: str, now: str, named: str) -> None:
    settings_file = folder / "config.yaml"
    settings_file.write_text(settings_file.read_text(encoding="utf-8").replace(was, now), encoding="utf-8")
    with pytest.raises(ModelBroken, match=named):
        VoiceActivityDetector.load("mine", folder)
