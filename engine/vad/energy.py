"""Finds where sound starts and ends by its energy, in steps of 10 ms, and moves the times of words there."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engine.audio import SAMPLE_RATE
from engine.transcript import Word

FRAME = SAMPLE_RATE // 100
SMOOTHED_FRAMES = 3
QUIETEST_PERCENT, LOUDEST_PERCENT = 5, 95
PART_OF_RANGE = 0.15
MIN_RANGE_DB = 12.0
MAX_TRIM_S = 0.6
MIN_PAUSE_FRAMES = 15  # before it bursts, a “k” or “t” is silent for no longer


class EnergyProfile:
    """Which frames of 10 ms are loud, measured by the range of the sound itself: noise raises the threshold."""

    def __init__(self, samples: NDArray[np.int16]) -> None:
        """Measure 16 kHz samples."""
        frames = len(samples) // FRAME
        power = np.square(samples[: frames * FRAME].astype(np.float32)).reshape(frames, FRAME).mean(axis=1)
        self._decibels = 10 * np.log10(_smooth(power) + 1) if frames else power
        self._loud = self._decibels >= _threshold(self._decibels)

    @property
    def is_flat(self) -> bool:
        """Tell whether the energy varies too little to tell sound from quiet."""
        return bool(self._loud.all())

    def quietest(self, start_s: float, end_s: float) -> float:
        """Find the quietest moment between two, in seconds."""
        first, last = _frame(start_s), _frame(end_s)
        around = self._decibels[first:last]
        return end_s if len(around) == 0 else (first + int(around.argmin())) * FRAME / SAMPLE_RATE

    def pauses(self) -> list[tuple[float, float]]:
        """Give the start and end, in seconds, of each quiet that is too long to be part of a word."""
        quiet = np.r_[False, ~self._loud, False]
        spans = np.flatnonzero(quiet[1:] != quiet[:-1]).reshape(-1, 2)
        long = spans[spans[:, 1] - spans[:, 0] >= MIN_PAUSE_FRAMES]
        return [(start, end) for start, end in (long * FRAME / SAMPLE_RATE).tolist()]

    def trim_silence(self, start_s: float, end_s: float) -> tuple[float, float]:
        """Leave out the quiet at both ends, at most MAX_TRIM_S each: longer quiet may be something else."""
        first, last = _frame(start_s), _frame(end_s)
        loud = np.flatnonzero(self._loud[first:last])
        if len(loud) == 0:
            return start_s, end_s
        step_s = FRAME / SAMPLE_RATE
        trimmed_start_s = start_s + min(float(loud[0]) * step_s, MAX_TRIM_S)
        trimmed_end_s = end_s - min(float(last - first - 1 - loud[-1]) * step_s, MAX_TRIM_S)
        return (trimmed_start_s, trimmed_end_s) if trimmed_start_s < trimmed_end_s else (start_s, end_s)


def snap_words_to_energy(words: tuple[Word, ...], samples: NDArray[np.int16]) -> tuple[Word, ...]:
    """Move the start and end of each word to where its sound starts and ends.

    For models whose times are only about right, or leave gaps between words. Words of sound whose energy varies too
    little are given back as they are.
    """
    profile = EnergyProfile(samples)
    if not words or profile.is_flat:
        return words
    start_s = max(words[0].start - MAX_TRIM_S, 0.0)
    end_s = max(words[-1].end, min(words[-1].end + MAX_TRIM_S, len(samples) / SAMPLE_RATE))
    before, after = (Word(start=moment, end=moment, text="") for moment in (start_s, end_s))
    pauses = profile.pauses()
    gaps = [_gap(profile, pauses, word, following) for word, following in pairwise([before, *words, after])]
    spans = [profile.trim_silence(*_between(*bounds)) for bounds in pairwise(gaps)]
    return tuple(replace(word, start=start, end=end) for word, (start, end) in zip(words, spans, strict=True))


def _gap(profile: EnergyProfile, pauses: list[tuple[float, float]], word: Word, after: Word) -> tuple[float, float]:
    """Find the pause between two words, or the moment where one becomes the other.

    Times that are only about right may put a pause into a word, but nearer to the end of it where it really is.
    """
    low, high = _middle(word.start, word.end), _middle(after.start, after.end)
    between = [pause for pause in pauses if low <= _middle(*pause) < high]
    if not between:
        moment = profile.quietest(word.end, after.start)
        return moment, moment
    start, end = max(between, key=lambda pause: pause[1] - pause[0])
    return max(start, low), min(end, high)


def _between(gap: tuple[float, float], after: tuple[float, float]) -> tuple[float, float]:
    """Give what two gaps leave; both of them to a word that is as quiet as they are."""
    return (gap[1], after[0]) if gap[1] < after[0] else (gap[0], after[1])


def _middle(start: float, end: float) -> float:
    return (start + end) / 2


def _smooth(power: NDArray[np.float32]) -> NDArray[np.float32]:
    around = np.pad(power, SMOOTHED_FRAMES // 2, mode="edge")
    return np.convolve(around, np.full(SMOOTHED_FRAMES, 1 / SMOOTHED_FRAMES, np.float32), mode="valid")


def _threshold(decibels: NDArray[np.float32]) -> float:
    """Give from which level on a frame is loud: every one is, where the range is too small to tell."""
    if len(decibels) == 0:
        return 0.0
    low, high = np.percentile(decibels, [QUIETEST_PERCENT, LOUDEST_PERCENT])
    return float(low + PART_OF_RANGE * (high - low)) if high - low >= MIN_RANGE_DB else float(decibels.min())


def _frame(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE) // FRAME
