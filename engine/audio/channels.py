"""Splits stereo recordings by speaker: one channel if mono or mixed, two where each has a speaker of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.audio import SAMPLE_RATE
from engine.audio.samples import STEREO, Audio
from engine.request import ChannelMode

FRAME = SAMPLE_RATE // 100
BLOCK = 60 * SAMPLE_RATE
SMOOTHED_FRAMES = 15
FULL_SCALE = 1 << 15

# The levels of two microphones at one speaker rise and fall together, or one a moment later; those of two telephones do
# not, even with crosstalk.
SAME_SPEAKER_CORRELATION = 0.6
MAX_DELAY_FRAMES = 200
DYNAMIC_RANGE_DB = 30
SILENT_DB = -70

# The level of speech falls far between words; hum, hiss and most music stay nearer to their loudest.
SPEECH_RANGE_DB = 12
PAUSES = 0.2

# A channel this much softer than the other one, each against its own loudest, only picks that one up.
CROSSTALK_DB = 10
CROSSTALK_FRAMES = 25


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel of a recording, read a stretch at a time. `index` None is the mix of all channels.

    With `loudest_db`, the level of the loudest moment of each channel, `blocks` silences crosstalk.
    """

    audio: Audio
    index: int | None = None
    loudest_db: tuple[float, float] | None = None

    def __len__(self) -> int:
        """Give the number of samples."""
        return len(self.audio.samples)

    def samples(self, start: int, end: int) -> NDArray[np.int16]:
        """Give the samples from `start` up to `end`."""
        samples = self.audio.samples[start:end]
        if self.audio.channels == 1:
            return samples
        if self.index is None:
            mean: NDArray[np.int16] = (samples.sum(axis=1, dtype=np.int32) >> 1).astype("<i2")
            return mean
        return np.ascontiguousarray(samples[:, self.index])

    def blocks(self, length: int) -> Iterator[NDArray[np.int16]]:
        """Give all samples in order, at most `length` at a time, with silence in place of crosstalk."""
        for start in range(0, len(self), length):
            block = self.samples(start, start + length)
            yield block if self.loudest_db is None else np.where(self._is_crosstalk(start, len(block)), 0, block)

    def _is_crosstalk(self, start: int, length: int) -> NDArray[np.bool_]:
        """Tell for each sample whether the other channel is so loud that this one only picks it up."""
        whole_frames = np.pad(self.audio.samples[start : start + length], ((0, -length % FRAME), (0, 0)))
        power = _power(whole_frames)
        around = np.ones(min(CROSSTALK_FRAMES, len(power))) / CROSSTALK_FRAMES
        smooth = np.stack([np.convolve(channel, around, mode="same") for channel in power.T], axis=1)
        relative = _decibels(smooth) - np.array(self.loudest_db)
        own, other = relative[:, self.index or 0], relative[:, 1 - (self.index or 0)]
        crosstalk: NDArray[np.bool_] = (own < other - CROSSTALK_DB).repeat(FRAME)[:length]
        return crosstalk

    def quietest(self, low: int, high: int) -> int:
        """Find the middle of the quietest moment between two samples."""
        power = _power(self.samples(low, high)[:, np.newaxis])[:, 0]
        if len(power) <= SMOOTHED_FRAMES:
            return (low + high) // 2
        smooth = np.convolve(power, np.ones(SMOOTHED_FRAMES), mode="valid")
        return low + (int(smooth.argmin()) + SMOOTHED_FRAMES // 2) * FRAME


def split_channels(
    audio: Audio, mode: ChannelMode, raise_if_cancelled: Callable[[], None] = lambda: None
) -> tuple[Channel, ...]:
    """Give the channels of a recording; `auto` splits stereo only where each channel has a speaker of its own.

    `raise_if_cancelled` is called for every minute of audio, and may raise.
    """
    if audio.channels != STEREO or mode == "mix":
        return (Channel(audio),)
    if mode == "split":
        return Channel(audio, 0), Channel(audio, 1)
    levels = _levels_db(audio.samples, raise_if_cancelled)
    if not _are_two_speakers(levels):
        return (Channel(audio),)
    left, right = levels.max(axis=0).tolist()
    return Channel(audio, 0, (left, right)), Channel(audio, 1, (left, right))


def _are_two_speakers(levels: NDArray[np.float32]) -> bool:
    """Tell whether both channels may hold speech, and get loud and quiet independently of each other."""
    loudest = levels.max(axis=0, initial=SILENT_DB)
    audible = np.maximum(levels, loudest - DYNAMIC_RANGE_DB)
    if (loudest <= SILENT_DB).any() or not _may_be_speech(audible):
        return False
    return _correlation(audible) < SAME_SPEAKER_CORRELATION


def _may_be_speech(levels: NDArray[np.float32]) -> bool:
    """Tell whether every channel falls far enough below its loudest."""
    fallen = levels.max(axis=0) - np.quantile(levels, PAUSES, axis=0)
    return bool((fallen >= SPEECH_RANGE_DB).all())


def _correlation(levels: NDArray[np.float32]) -> float:
    """Give the highest correlation of both channels' levels, up to 1, with either of them delayed."""
    left, right = ((levels - levels.mean(axis=0)) / levels.std(axis=0)).T.copy()
    length = len(left)
    delays = range(min(MAX_DELAY_FRAMES, length - 1) + 1)
    correlations = (
        max(float(left[delay:] @ right[: length - delay]), float(right[delay:] @ left[: length - delay]))
        for delay in delays
    )
    return max(correlations) / length


def _levels_db(stereo: NDArray[np.int16], raise_if_cancelled: Callable[[], None]) -> NDArray[np.float32]:
    """Give the level of each frame of 10 ms and channel in decibels, full scale being 0."""
    blocks = []
    for start in range(0, len(stereo), BLOCK):
        raise_if_cancelled()
        blocks.append(_power(stereo[start : start + BLOCK]))
    return _decibels(np.concatenate(blocks))


def _decibels(power: NDArray[np.float32]) -> NDArray[np.float32]:
    decibels: NDArray[np.float32] = 10 * np.log10(power + 1e-12)
    return decibels


def _power(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    """Give the mean square of each frame and channel, full scale being 1."""
    frames, channels = len(samples) // FRAME, samples.shape[1]
    by_channel = np.moveaxis(samples[: frames * FRAME].reshape(frames, FRAME, channels), 2, 0)
    squares = [np.einsum("ft,ft->f", channel, channel, dtype=np.float32) for channel in by_channel]
    power: NDArray[np.float32] = np.stack(squares, axis=1)
    power /= FRAME * FULL_SCALE**2
    return power
