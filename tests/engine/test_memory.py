"""Tells what memory the engine takes over recordings, in a process of its own: `python -m tests.engine.test_memory`."""

import json
import os
import subprocess
import sys
import threading
import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bot.bench.process_usage import PROC, usage_of
from engine.audio import SAMPLE_RATE
from engine.audio.samples import decode
from engine.request import Progress, Request
from engine.settings import EngineSettings
from engine.speech import Engine

PROJECT = Path(__file__).resolve().parents[2]
SHORT_MIN, LONG_MIN = 3, 40
SHARE = 0.25  # of what the samples take: the text grows, and of two channels how loud they are


def highest_mb(engine: Engine, path: Path) -> float:
    """Give the most memory that the process and its decoder have had to themselves while they read."""
    seen: list[float] = []

    def look(_: Progress) -> None:
        seen.append(usage_of(os.getpid()).anonymous_mb)

    said = engine.transcribe(engine.decode(path), Request(), on_progress=look, cancelled=threading.Event())
    assert said.segments
    return max(seen)


def write_speech(path: Path, voice: NDArray[np.int16], minutes: int) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(voice.shape[1])
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        for _ in range(round(minutes * 60 * SAMPLE_RATE / len(voice))):
            file.writeframes(voice.tobytes())
    return path


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not PROC.exists(), reason="only Linux tells what memory a process has to itself")
@pytest.mark.parametrize("channels", [1, 2])
def test_a_long_recording_takes_no_more_memory_than_a_short_one(
    tiny: Path, exports_dir: Path, sample: Path, tmp_path: Path, channels: int
) -> None:
    voice = decode(sample, max_audio_s=60).samples
    sound = np.stack([np.roll(voice, 5 * SAMPLE_RATE * channel) for channel in range(channels)], axis=1)
    files = [write_speech(tmp_path / f"{minutes}.wav", sound, minutes) for minutes in (SHORT_MIN, SHORT_MIN, LONG_MIN)]
    settings = EngineSettings(model=str(tiny), models_dir=exports_dir, device="cpu", precision="fp32", threads=1)
    command = [sys.executable, "-m", "tests.engine.test_memory", settings.model_dump_json(), *map(str, files)]
    done = subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, check=True)
    _, short, long = json.loads(done.stdout)
    assert 1_000_000 * (long - short) <= SHARE * (files[-1].stat().st_size - files[0].stat().st_size)


if __name__ == "__main__":
    opened = Engine.open(EngineSettings.model_validate_json(sys.argv[1]))
    print(json.dumps([highest_mb(opened, Path(file)) for file in sys.argv[2:]]))  # noqa: T201 - the answer
