"""The voices of a recording: one track for mono or mixed sound, two where each channel has a voice of its own."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.audio.samples import SAMPLE_RATE, STEREO, Audio
from engine.request import ChannelMode

if TYPE_CHECKING:
    from pydub import AudioSegment

SAMPLE_BYTES = 2
FRAME = SAMPLE_RATE // 100
BLOCK = 60 * SAMPLE_RATE
QUIET_FRAMES = 15
FULL_SCALE = 1 << 15

# Two microphones at one voice get loud together, or one a moment later; two telephones do not, even with crosstalk.
ALIKE = 0.6
DELAY_FRAMES = 200
DYNAMIC_RANGE_DB = 30
SILENT_DB = -70

# Speech is loud and quiet by turns; hum, hiss and most music stay nearer to their loudest.
RANGE_OF_SPEECH_DB = 12
PAUSES = 0.2

# What is this much softer than the other channel, each against its own loudest, came over from there.
CROSSTALK_DB = 10
CROSSTALK_FRAMES = 25


@dataclass(frozen=True, slots=True)
class Channel:
    """One voice's samples, taken from the recording piece by piece. `channel` None means all of it, mixed.

    With `loudest_db`, the loudest moment of each channel, the voice is looked for only where it is no crosstalk.
    """

    audio: Audio
    channel: int | None = None
    loudest_db: tuple[float, float] | None = None

    def __len__(self) -> int:
        """Give the number of samples."""
        return len(self.audio.samples)

    def piece(self, start: int, end: int) -> NDArray[np.int16]:
        """Give the samples from `start` up to `end`."""
        samples = self.audio.samples[start:end]
        if self.audio.channels == 1:
            return samples
        stereo = _segment(samples)
        mono = stereo.set_channels(1) if self.channel is None else stereo.split_to_mono()[self.channel]
        return np.frombuffer(mono.raw_data, dtype="<i2")

    def blocks(self, length: int) -> Iterator[NDArray[np.int16]]:
        """Give all samples in order, at most `length` at a time, with silence in place of crosstalk."""
        for start in range(0, len(self), length):
            piece = self.piece(start, start + length)
            yield piece if self.loudest_db is None else np.where(self._is_crosstalk(start, len(piece)), 0, piece)

    def _is_crosstalk(self, start: int, length: int) -> NDArray[np.bool_]:
        """Tell for each sample whether the other channel is so loud that it is heard in this one."""
        whole_frames = np.pad(self.audio.samples[start : start + length], ((0, -length % FRAME), (0, 0)))
        power = _power(whole_frames)
        around = np.ones(min(CROSSTALK_FRAMES, len(power))) / CROSSTALK_FRAMES
        smooth = np.stack([np.convolve(channel, around, mode="same") for channel in power.T], axis=1)
        relative = _decibels(smooth) - np.array(self.loudest_db)
        mine, other = relative[:, self.channel or 0], relative[:, 1 - (self.channel or 0)]
        crosstalk: NDArray[np.bool_] = (mine < other - CROSSTALK_DB).repeat(FRAME)[:length]
        return crosstalk

    def quietest(self, low: int, high: int) -> int:
        """Find the middle of the quietest moment between two samples."""
        power = _power(self.piece(low, high)[:, np.newaxis])[:, 0]
        if len(power) <= QUIET_FRAMES:
            return (low + high) // 2
        smooth = np.convolve(power, np.ones(QUIET_FRAMES), mode="valid")
        return low + (int(smooth.argmin()) + QUIET_FRAMES // 2) * FRAME


def split_channels(
    audio: Audio, mode: ChannelMode, stop_if_cancelled: Callable[[], None] = lambda: None
) -> tuple[Channel, ...]:
    """Take a recording apart into voices; `auto` splits only what has a voice of its own in each channel.

    What `stop_if_cancelled` raises, called for every minute of sound, comes out here.
    """
    if audio.channels != STEREO or mode == "mix":
        return (Channel(audio),)
    if mode == "split":
        return Channel(audio, 0), Channel(audio, 1)
    loudness = _loudness(audio.samples, stop_if_cancelled)
    if not _are_two_voices(loudness):
        return (Channel(audio),)
    left, right = loudness.max(axis=0).tolist()
    return Channel(audio, 0, (left, right)), Channel(audio, 1, (left, right))


def _are_two_voices(loudness: NDArray[np.float32]) -> bool:
    """Tell whether both channels may hold speech, and get loud and quiet independently of each other."""
    loudest = loudness.max(axis=0, initial=SILENT_DB)
    audible = np.maximum(loudness, loudest - DYNAMIC_RANGE_DB)
    if (loudest <= SILENT_DB).any() or not _may_be_speech(audible):
        return False
    return _likeness(audible) < ALIKE


def _may_be_speech(loudness: NDArray[np.float32]) -> bool:
    """Tell whether every channel falls far enough below its loudest."""
    fallen = loudness.max(axis=0) - np.quantile(loudness, PAUSES, axis=0)
    return bool((fallen >= RANGE_OF_SPEECH_DB).all())


def _likeness(loudness: NDArray[np.float32]) -> float:
    """Give how much the channels get loud and quiet together, up to 1, whichever of them comes first."""
    left, right = ((loudness - loudness.mean(axis=0)) / loudness.std(axis=0)).T.copy()
    length = len(left)
    delays = range(min(DELAY_FRAMES, length - 1) + 1)
    together = (
        max(float(left[delay:] @ right[: length - delay]), float(right[delay:] @ left[: length - delay]))
        for delay in delays
    )
    return max(together) / length


def _loudness(stereo: NDArray[np.int16], stop_if_cancelled: Callable[[], None]) -> NDArray[np.float32]:
    """Give the loudness of each frame and channel in decibels, full scale being 0."""
    blocks = []
    for start in range(0, len(stereo), BLOCK):
        stop_if_cancelled()
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


def _segment(stereo: NDArray[np.int16]) -> AudioSegment:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for an ffmpeg when imported; its containers of samples need none
        from pydub import AudioSegment  # noqa: PLC0415 - 30 ms that the bot can do without
    return AudioSegment(data=stereo.tobytes(), sample_width=SAMPLE_BYTES, frame_rate=SAMPLE_RATE, channels=STEREO)
