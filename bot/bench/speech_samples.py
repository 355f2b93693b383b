"""Test recordings of given lengths, cut from one recording of speech. Pure, but for writing WAV files."""

import random
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
SHORTEST_S, USUAL_S, LONGEST_S = 2.0, 5.0, 15.0
PAUSE_S = 0.4
SHIFT_SAMPLES = 7919  # prime, so that no two recordings begin with the same words


def draw_lengths(count: int, seed: int = 1) -> list[float]:
    """Draw the lengths of `count` voice notes in seconds: 2 to 15, most often about 5, the same for the same seed."""
    draw = random.Random(seed)  # noqa: S311 - nothing secret
    return [round(draw.triangular(SHORTEST_S, LONGEST_S, USUAL_S), 1) for _ in range(count)]


def repeat_speech(samples: NDArray[np.int16], seconds: float, begin: int = 0) -> NDArray[np.int16]:
    """Return `seconds` of 16 kHz samples, which are repeated with short pauses, from the sample `begin` on."""
    loop = np.concatenate([samples, np.zeros(round(PAUSE_S * SAMPLE_RATE), np.int16)])
    return np.resize(np.roll(loop, -begin), round(seconds * SAMPLE_RATE))


def write_recordings(samples: NDArray[np.int16], lengths: Sequence[float], folder: Path) -> list[Path]:
    """Write a WAV file of each length in seconds into a new folder, all with other words."""
    with warnings.catch_warnings(action="ignore"):  # pydub warns that there is no ffmpeg, which WAV does not need
        from pydub import AudioSegment  # noqa: PLC0415 - only where recordings are written

    folder.mkdir(parents=True)
    paths = [folder / f"{number:03}.wav" for number in range(len(lengths))]
    for number, (path, length) in enumerate(zip(paths, lengths, strict=True)):
        speech = repeat_speech(samples, length, begin=number * SHIFT_SAMPLES)
        AudioSegment(speech.tobytes(), sample_width=2, frame_rate=SAMPLE_RATE, channels=1).export(path, "wav").close()
    return paths
