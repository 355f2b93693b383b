"""Filter bank features: log-mel energies, with stacked frames (low frame rate) and normalization. Knows no network.

Equal to Kaldi's `fbank` and FunASR's front ends without dither, for a whole recording or block by block.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from engine.audio import SAMPLE_RATE
from engine.runtime.torch_files import Floats, read_cmvn, read_settings

FRAME = SAMPLE_RATE * 25 // 1000
HOP = SAMPLE_RATE // 100
FFT = 512
MIN_HZ = 20
EMPHASIS = np.float32(0.97)
MIN_ENERGY = np.finfo(np.float32).eps
BATCH_FRAMES = 128


class FrontendConf(BaseModel):
    """The table `frontend_conf` of a model folder; fixed values are the same in every published model."""

    fs: Literal[16_000] = 16_000
    window: Literal["hamming"] = "hamming"
    frame_length: Literal[25] = 25
    frame_shift: Literal[10] = 10
    snip_edges: Literal[True] = True
    n_mels: int = Field(default=80, gt=0)
    lfr_m: int = Field(default=1, gt=0)
    lfr_n: int = Field(default=1, gt=0)


class _Config(BaseModel):
    frontend_conf: FrontendConf


@dataclass(frozen=True, slots=True)
class Frontend:
    """A model's front end: a row stacks `stacked` frames of 10 ms, and the next row starts `step` frames later."""

    mels: int
    stacked: int
    step: int
    shift: Floats
    scale: Floats

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the settings and the statistics of a FunASR model folder.

        Raises:
            OSError: a file is missing.
            ValueError: a file is damaged, or asks for what is not known here.
        """
        conf = read_settings(folder, _Config).frontend_conf
        shift, scale = read_cmvn(folder)
        if not len(shift) == len(scale) == conf.n_mels * conf.lfr_m:
            raise ValueError("am.mvn does not fit config.yaml")
        return cls(mels=conf.n_mels, stacked=conf.lfr_m, step=conf.lfr_n, shift=shift, scale=scale)

    def features(self, samples: NDArray[np.int16]) -> Floats:
        """Give the rows of a whole recording, one for every `step` frames; none if it is shorter than 25 ms."""
        stream = FeatureStream(self)
        return np.concatenate([stream.feed(samples), stream.finish()])


class FeatureStream:
    """The rows of one recording that comes block by block; equal to those of the whole."""

    def __init__(self, frontend: Frontend) -> None:
        """Start a recording."""
        self._frontend = frontend
        self._samples = np.empty(0, np.int16)
        self._frames = np.empty((0, frontend.mels), np.float32)
        self._frames_seen = 0
        self._rows_given = 0

    def feed(self, samples: NDArray[np.int16]) -> Floats:
        """Take the next samples and give the rows that they complete."""
        unread = np.concatenate([self._samples, samples])
        frames = log_mel(unread, self._frontend.mels)
        self._samples = unread[len(frames) * HOP :]
        before = 0 if self._frames_seen else (self._frontend.stacked - 1) // 2
        self._frames_seen += len(frames)
        # Padded with the first frame, so that it is in the middle of the first row.
        self._frames = np.concatenate([self._frames, np.repeat(frames[:1], before, axis=0), frames])
        return self._take((len(self._frames) - self._frontend.stacked) // self._frontend.step + 1)

    def finish(self) -> Floats:
        """Give the last rows, padded with the last frame."""
        rows = -(-self._frames_seen // self._frontend.step) - self._rows_given
        missing = (rows - 1) * self._frontend.step + self._frontend.stacked - len(self._frames)
        self._frames = np.concatenate([self._frames, np.repeat(self._frames[-1:], max(0, missing), axis=0)])
        return self._take(rows)

    def _take(self, rows: int) -> Floats:
        width = self._frontend.stacked * self._frontend.mels
        if rows <= 0:
            return np.empty((0, width), np.float32)
        stacked = sliding_window_view(self._frames.reshape(-1), width)[:: self._frontend.step * self._frontend.mels]
        taken: Floats = (stacked[:rows] + self._frontend.shift) * self._frontend.scale
        self._frames = self._frames[rows * self._frontend.step :]
        self._rows_given += rows
        return taken


def log_mel(samples: NDArray[np.int16], mels: int) -> Floats:
    """Give log-mel energies, shape (frames, mels): one frame of 25 ms every 10 ms."""
    if len(samples) < FRAME:
        return np.empty((0, mels), np.float32)
    frames = sliding_window_view(samples, FRAME)[::HOP]
    parts = (frames[start : start + BATCH_FRAMES] for start in range(0, len(frames), BATCH_FRAMES))
    return np.concatenate([_log_energies(part.astype(np.float32), _bands(mels)) for part in parts])


def _log_energies(frames: Floats, bands: Floats) -> Floats:
    frames -= frames.mean(axis=1, keepdims=True)
    frames[:, 1:] -= EMPHASIS * frames[:, :-1]
    frames[:, 0] -= EMPHASIS * frames[:, 0]
    spectrum = np.fft.rfft(frames * _window(), FFT)[:, : FFT // 2]
    energies: Floats = (np.square(spectrum.real) + np.square(spectrum.imag)) @ bands
    logarithms: Floats = np.log(np.maximum(energies, MIN_ENERGY))
    return logarithms


@cache
def _window() -> Floats:
    return np.hamming(FRAME).astype(np.float32)


@cache
def _bands(mels: int) -> Floats:
    """Give the triangular mel filters, shape (FFT bins, mels): overlapping by half, evenly spaced in mel."""
    lowest, highest = _mel(np.array([MIN_HZ, SAMPLE_RATE / 2]))
    width = (highest - lowest) / (mels + 1)
    peaks = lowest + width * np.arange(1, mels + 1)
    distances = np.abs(_mel(np.arange(FFT // 2) * SAMPLE_RATE / FFT)[:, np.newaxis] - peaks) / width
    bands: Floats = np.maximum(0, 1 - distances).astype(np.float32)
    return bands


def _mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1127 * np.log1p(hertz / 700)
