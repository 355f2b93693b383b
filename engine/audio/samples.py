"""Decoded audio as samples, and `decode` for files. Knows no file formats: the decoder process does."""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import InitVar, dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from engine.audio import SAMPLE_RATE
from engine.audio.sandbox import DecoderProcess, Limits
from engine.errors import AudioTooLong, AudioUnreadable, Cancelled

BLOCK_FRAMES = 60 * SAMPLE_RATE
STEREO = 2
PROBE_S = 1.0

_decoder = DecoderProcess()
atexit.register(_decoder.close)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audio:
    """Decoded audio: 16 kHz, 16 bit, shape (frames,) for mono or (frames, 2) for stereo.

    `samples` of a file are mapped from disk, not held in memory. `digest` is the SHA-256 of the mono mix.
    `declared_s` is the duration in seconds that the file declares, where clearly less of it could be read.
    """

    samples: NDArray[np.int16]
    declared_s: float | None = None
    digest: str = field(init=False)
    cancelled: InitVar[threading.Event | None] = None

    def __post_init__(self, cancelled: threading.Event | None) -> None:
        """Compute the digest, or raise Cancelled once `cancelled` is set."""
        sha256 = hashlib.sha256()
        for block in _mono_blocks(self.samples):
            if cancelled and cancelled.is_set():
                raise Cancelled
            sha256.update(np.ascontiguousarray(block, dtype="<i2").data)
        object.__setattr__(self, "digest", sha256.hexdigest())

    @property
    def duration(self) -> float:
        """The length in seconds."""
        return len(self.samples) / SAMPLE_RATE

    @property
    def channels(self) -> int:
        """1 for mono, 2 for stereo."""
        return 1 if self.samples.ndim == 1 else STEREO


def decode(path: Path, *, max_audio_s: float, cancelled: threading.Event | None = None) -> Audio:
    """Decode any audio or video file, however hostile.

    Raises:
        AudioFault: it cannot be read, is too short or too long, or costs too much.
        Cancelled: `cancelled` was set.
    """
    try:
        source = path.open("rb")  # outside the block below, whose OSErrors are not the fault of the file
    except OSError as unreadable:
        raise AudioUnreadable from unreadable
    with source, _scratch() as sink:
        decoded = _decoder.decode(source, sink, Limits(max_audio_s=max_audio_s), cancelled)
        samples: NDArray[np.int16] = np.memmap(sink, dtype="<i2", mode="r")
    shaped = samples if decoded.channels == 1 else samples.reshape(-1, STEREO)
    return Audio(samples=shaped, declared_s=decoded.declared_s, cancelled=cancelled)


def check_readable(path: Path) -> None:
    """Check that a file is audio by decoding its first second; it may still be too long.

    Raises:
        AudioFault: it cannot be read, or is too short.
    """
    with contextlib.suppress(AudioTooLong):
        decode(path, max_audio_s=PROBE_S)


def start_decoder() -> None:
    """Start the decoder process ahead of the first file, without waiting for it."""
    threading.Thread(target=_decoder.start, daemon=True).start()


def _mono_blocks(samples: NDArray[np.int16]) -> Iterator[NDArray[np.int16]]:
    for start in range(0, len(samples), BLOCK_FRAMES):
        block = samples[start : start + BLOCK_FRAMES]
        yield block if block.ndim == 1 else _mixed(block)


def _mixed(stereo: NDArray[np.int16]) -> NDArray[np.int16]:
    """Give the mean of both channels, halves rounded up as ffmpeg does; the digest depends on it."""
    mean: NDArray[np.int16] = ((stereo.sum(axis=1, dtype=np.int32) + 1) >> 1).astype("<i2")
    return mean


def _scratch() -> BinaryIO:
    """Open a temporary file without a name, which is gone with its last user.

    In /var/tmp where there is one, because /tmp is often held in memory.
    """
    folder = os.environ.get("TMPDIR") or ("/var/tmp" if os.access("/var/tmp", os.W_OK) else None)  # noqa: S108 - nameless
    return tempfile.TemporaryFile(dir=folder)
