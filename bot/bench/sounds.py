"""Makes the sounds of the benchmark: voice notes as Telegram sends them, cut out of one recording of speech."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import av

RATE = 16_000
OPUS_RATE = 48_000
SHORTEST_S, USUAL_S, LONGEST_S = 2.0, 5.0, 15.0
PAUSE_S = 0.4
BLOCK = 10 * RATE


def lengths(count: int, seed: int = 1) -> list[float]:
    """Draw the seconds of so many voice notes: mostly short ones, none below 2 or above 15."""
    draw = random.Random(seed)  # noqa: S311 - nothing secret
    return [round(draw.triangular(SHORTEST_S, LONGEST_S, USUAL_S), 1) for _ in range(count)]


def speech(samples: NDArray[np.int16], seconds: float, begin: int = 0) -> NDArray[np.int16]:
    """Give so many seconds of a recording that is repeated with short pauses, from its sample `begin` on."""
    loop = np.concatenate([samples, np.zeros(round(PAUSE_S * RATE), np.int16)])
    return np.resize(np.roll(loop, -begin), round(seconds * RATE))


def write_notes(samples: NDArray[np.int16], seconds: list[float], folder: Path) -> list[Path]:
    """Write a voice note of each length, all with other words."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, length in enumerate(seconds):
        paths.append(folder / f"{number:03}.ogg")
        write_opus(paths[-1], speech(samples, length, begin=number * 7919))
    return paths


def write_opus(path: Path, samples: NDArray[np.int16]) -> None:
    """Write OGG with Opus, one channel, as Telegram's apps do."""
    import av  # noqa: PLC0415 - only where a benchmark is made

    with av.open(str(path), "w", format="ogg") as container:
        track = container.add_stream("libopus", rate=OPUS_RATE, layout="mono")
        track.bit_rate = 32_000
        resampler = av.AudioResampler("s16", "mono", OPUS_RATE)
        for frame in _frames(samples):
            for part in resampler.resample(frame):
                container.mux(track.encode(part))
        for part in resampler.resample(None):
            container.mux(track.encode(part))
        container.mux(track.encode(None))


def _frames(samples: NDArray[np.int16]) -> Iterator[av.AudioFrame]:
    import av  # noqa: PLC0415 - as above

    for start in range(0, len(samples), BLOCK):
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis, start : start + BLOCK], "s16", "mono")
        frame.sample_rate, frame.pts = RATE, start
        yield frame
