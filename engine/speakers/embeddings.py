"""Hears by whom a piece is spoken, beside the model that reads it. Knows nothing of how many speakers there are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.audio.fbank import log_mel
from engine.errors import ModelBroken
from engine.hub.catalogue import SPEAKER_MODEL
from engine.runtime.onnx import Network, NetworkBroken
from engine.runtime.torch_files import read_weights
from engine.speakers.clustering import SpeakerEmbedding

WEIGHTS = "campplus_cn_en_common.pt"
MELS = 80
RATE = 16_000
WINDOW, STEP = 24_000, 12_000
AT_ONCE = 16


class SpeakerEmbedder:
    """CAM++, loaded when it is needed first. Threads may share it."""

    def __init__(self, folder: Callable[[], Path]) -> None:
        """Load it from what `folder` gives, which may fetch it first."""
        self._folder = folder
        self._lock = threading.Lock()
        self._network: Network | None = None

    def heard(self, samples: NDArray[np.int16]) -> tuple[SpeakerEmbedding, ...]:
        """Give a voiceprint for every 0.75 s.

        Raises:
            ModelFault: the network cannot be had or loaded.
        """
        return tuple(voice for batch in _batches(_windows(samples)) for voice in self._voices(batch))

    def load(self) -> Network:
        """Load the network unless it is there.

        Raises:
            ModelFault: it cannot be had or loaded.
        """
        with self._lock:
            self._network = self._network or _load(self._folder())
            return self._network

    def _voices(self, windows: list[tuple[int, NDArray[np.int16]]]) -> Iterator[SpeakerEmbedding]:
        rows = np.stack([log_mel(window, MELS) for _, window in windows])
        [voiceprints] = self.load().run("voiceprint", features=rows - rows.mean(axis=1, keepdims=True))
        for (middle, _), voiceprint in zip(windows, voiceprints, strict=True):
            yield SpeakerEmbedding(middle / RATE, (voiceprint / np.linalg.norm(voiceprint)).astype(np.float32))


def _load(folder: Path) -> Network:
    from engine.speakers.campplus_onnx import network  # noqa: PLC0415 - a second that only those wait for who want speakers

    try:
        return Network(network(read_weights(folder, WEIGHTS)), is_fused=False)
    except (OSError, ValueError, KeyError, NetworkBroken) as broken:
        raise ModelBroken(path=str(folder), model=SPEAKER_MODEL, reason=f"{WEIGHTS} is missing or damaged") from broken


def _windows(samples: NDArray[np.int16]) -> Iterator[tuple[int, NDArray[np.int16]]]:
    """Give the windows and their middles; what is shorter than one is repeated until it fills it."""
    if len(samples) < WINDOW:
        yield len(samples) // 2, np.resize(samples, WINDOW)
        return
    last = len(samples) - WINDOW
    for start in [*range(0, last, STEP), last]:
        yield start + WINDOW // 2, samples[start : start + WINDOW]


def _batches(
    windows: Iterator[tuple[int, NDArray[np.int16]]],
) -> Iterator[list[tuple[int, NDArray[np.int16]]]]:
    while batch := list(islice(windows, AT_ONCE)):
        yield batch
