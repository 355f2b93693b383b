"""Writes OGG/Opus voice notes of given lengths, as Telegram's apps do, cut from one recording of speech.

`write_notes` runs this file in a process of its own, so that the libraries that encode do not count as memory of the
process that is measured.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bot.bench.speech_samples import SAMPLE_RATE, SHIFT_SAMPLES, repeat_speech

if TYPE_CHECKING:
    import av

OPUS_SAMPLE_RATE = 48_000
OPUS_BIT_RATE = 32_000
FRAME_SAMPLES = 10 * SAMPLE_RATE


def write_notes(recording: Path, lengths: Sequence[float], folder: Path) -> list[Path]:
    """Write a voice note of each length in seconds into a new folder, all with other words.

    Raises:
        subprocess.CalledProcessError: they cannot be written.
    """
    folder.mkdir(parents=True)
    command = [sys.executable, "-P", __file__, str(recording), str(folder), *map(str, lengths)]
    subprocess.run(command, check=True)
    return [_path(folder, number) for number in range(len(lengths))]


def read_samples(path: Path) -> NDArray[np.int16]:
    """Decode a recording to 16 kHz, one channel."""
    import av  # noqa: PLC0415 - as in write_opus

    resampler = av.AudioResampler("s16", "mono", SAMPLE_RATE)
    with av.open(str(path)) as container:
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


def write_opus(path: Path, samples: NDArray[np.int16]) -> None:
    """Write 16 kHz samples as OGG/Opus with one channel."""
    import av  # noqa: PLC0415 - only in a process of its own

    with av.open(str(path), "w", format="ogg") as container:
        track = container.add_stream("libopus", rate=OPUS_SAMPLE_RATE, layout="mono")
        track.bit_rate = OPUS_BIT_RATE
        resampler = av.AudioResampler("s16", "mono", OPUS_SAMPLE_RATE)
        for frame in _frames(samples):
            for part in resampler.resample(frame):
                container.mux(track.encode(part))
        for part in resampler.resample(None):
            container.mux(track.encode(part))
        container.mux(track.encode(None))


def _frames(samples: NDArray[np.int16]) -> Iterator[av.AudioFrame]:
    import av  # noqa: PLC0415 - as in write_opus

    for start in range(0, len(samples), FRAME_SAMPLES):
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis, start : start + FRAME_SAMPLES], "s16", "mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE, start
        yield frame


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number:03}.ogg"


def _main(recording: str, folder: str, *lengths: str) -> None:
    samples = read_samples(Path(recording))
    for number, length in enumerate(lengths):
        speech = repeat_speech(samples, float(length), begin=number * SHIFT_SAMPLES)
        write_opus(_path(Path(folder), number), speech)


if __name__ == "__main__":
    _main(*sys.argv[1:])
