"""Speaker embeddings with CAM++: one vector for every 0.75 s of speech. Knows nothing of how many speakers there are.

CAM++ is 3D-Speaker's network (arXiv:2303.00332), trained on Mandarin and English.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.audio import SAMPLE_RATE
from engine.audio.fbank import log_mel
from engine.errors import ModelBroken
from engine.hub.catalogue import SPEAKER_MODEL
from engine.runtime.onnx import Network, NetworkBroken
from engine.runtime.torch_files import read_weights
from engine.speakers.clustering import SpeakerEmbedding

WEIGHTS = "campplus_cn_en_common.pt"
MELS = 80
WINDOW, STEP = 3 * SAMPLE_RATE // 2, 3 * SAMPLE_RATE // 4
BATCH = 16

Window = tuple[int, NDArray[np.int16]]


class SpeakerEmbedder:
    """CAM++, loaded when it is first needed. Threads may share it."""

    def __init__(self, folder: Callable[[], Path]) -> None:
        """Keep `folder`, which gives the model's folder, and may download it first."""
        self._folder = folder
        self._lock = threading.Lock()
        self._network: Network | None = None

    def embed(self, samples: NDArray[np.int16]) -> tuple[SpeakerEmbedding, ...]:
        """Give an embedding for every window of 1.5 s, one each 0.75 s; for shorter speech one.

        Raises:
            ModelFault: the network is not there or cannot be loaded.
        """
        return tuple(embedding for batch in _batches(_windows(samples)) for embedding in self._embed_batch(batch))

    def load(self) -> Network:
        """Load the network if it is not loaded yet.

        Raises:
            ModelFault: it is not there or cannot be loaded.
        """
        with self._lock:
            self._network = self._network or _load(self._folder())
            return self._network

    def _embed_batch(self, windows: list[Window]) -> Iterator[SpeakerEmbedding]:
        rows = np.stack([log_mel(window, MELS) for _, window in windows])
        [vectors] = self.load().run("voiceprint", features=rows - rows.mean(axis=1, keepdims=True))
        for (middle, _), vector in zip(windows, vectors, strict=True):
            yield SpeakerEmbedding(middle / SAMPLE_RATE, (vector / np.linalg.norm(vector)).astype(np.float32))


def _load(folder: Path) -> Network:
    from engine.speakers.campplus_onnx import campplus_onnx  # noqa: PLC0415 - a second that only those wait for who want speakers

    try:
        return Network(campplus_onnx(read_weights(folder, WEIGHTS)), is_fused=False)
    except (OSError, ValueError, KeyError, NetworkBroken) as broken:
        raise ModelBroken(path=str(folder), model=SPEAKER_MODEL, reason=f"{WEIGHTS} is missing or damaged") from broken


def _windows(samples: NDArray[np.int16]) -> Iterator[Window]:
    """Give the windows, each with its middle sample; speech shorter than one is repeated until it fills it."""
    if len(samples) < WINDOW:
        yield len(samples) // 2, np.resize(samples, WINDOW)
        return
    last = len(samples) - WINDOW
    for start in [*range(0, last, STEP), last]:
        yield start + WINDOW // 2, samples[start : start + WINDOW]


def _batches(windows: Iterator[Window]) -> Iterator[list[Window]]:
    while batch := list(islice(windows, BATCH)):
        yield batch
