import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from engine.transcript import Word
from engine.vad.energy import MAX_TRIM_S, EnergyProfile, snap_words_to_energy

SECOND = 16_000


def sound(*parts: tuple[float, int]) -> NDArray[np.int16]:
    """Make hiss of given seconds and loudness, one after the other."""
    hiss = np.random.default_rng(0)
    return np.concatenate([hiss.normal(0, level, round(seconds * SECOND)) for seconds, level in parts]).astype(np.int16)


@pytest.mark.parametrize("noise", [0, 5, 200])
def test_silence_at_both_ends_is_trimmed_at_any_noise_level(noise: int) -> None:
    samples = sound((0.25, noise), (1.0, 4_000), (0.3, noise), (0.5, 4_000), (0.15, noise))
    assert EnergyProfile(samples).trim_silence(0.0, 2.2) == pytest.approx((0.25, 2.05), abs=0.02)


def test_at_most_max_trim_s_of_silence_is_trimmed() -> None:
    samples = sound((2.0, 0), (1.0, 4_000))
    assert EnergyProfile(samples).trim_silence(0.0, 3.0) == pytest.approx((MAX_TRIM_S, 3.0))


@pytest.mark.parametrize("level", [0, 30, 4_000])
def test_sound_of_constant_energy_is_not_trimmed(level: int) -> None:
    constant = np.full(SECOND, level, np.int16)
    assert EnergyProfile(constant).trim_silence(0.0, 1.0) == (0.0, 1.0)


@given(st.integers(0, 5_000), st.floats(0, 1), st.floats(0, 1))
def test_trimming_only_shortens_and_never_empties_a_stretch(frames: int, one: float, other: float) -> None:
    samples = sound((0.1, 10), (0.1, 3_000), (0.1, 10))[:frames]
    low, high = sorted((one * frames / SECOND, other * frames / SECOND))
    start, end = EnergyProfile(samples).trim_silence(low, high)
    assert low <= start <= end <= high
    assert (start < end) == (low < high)


def test_words_begin_and_end_with_their_sound() -> None:
    samples = sound((0.2, 5), (0.4, 4_000), (0.5, 5), (0.6, 4_000), (0.3, 5))
    words = (Word(start=0.0, end=0.55, text="One,"), Word(start=1.25, end=2.0, text="two."))
    times = [time for word in snap_words_to_energy(words, samples) for time in (word.start, word.end)]
    assert times == pytest.approx([0.2, 0.6, 1.1, 1.7], abs=0.02)


@pytest.mark.parametrize("border", [0.45, 0.6, 1.0, 1.3])
def test_a_pause_belongs_to_no_word_even_if_the_times_are_rough(border: float) -> None:
    samples = sound((0.2, 5), (0.4, 4_000), (0.5, 5), (0.6, 4_000), (0.3, 5))
    words = (Word(start=0.0, end=border, text="One"), Word(start=border, end=2.0, text="two."))
    times = [time for word in snap_words_to_energy(words, samples) for time in (word.start, word.end)]
    assert times == pytest.approx([0.2, 0.6, 1.1, 1.7], abs=0.02)


def test_the_silence_before_a_consonant_bursts_is_part_of_its_word() -> None:
    samples = sound((0.2, 5), (0.3, 4_000), (0.12, 5), (0.3, 4_000), (0.3, 5))
    (word,) = snap_words_to_energy((Word(start=0.2, end=0.9, text="Stop"),), samples)
    assert (word.start, word.end) == pytest.approx((0.2, 0.92), abs=0.02)


def test_the_last_word_is_extended_to_the_end_of_its_sound() -> None:
    samples = sound((0.2, 5), (1.0, 4_000), (0.3, 5))
    (word,) = snap_words_to_energy((Word(start=0.0, end=0.8, text="Themselves."),), samples)
    assert word.end == pytest.approx(1.2, abs=0.02)


def test_the_last_word_is_extended_by_max_trim_s_at_most() -> None:
    samples = sound((1.0, 4_000), (0.02, 3_000), (5.0, 4_000))
    (word,) = snap_words_to_energy((Word(start=0.0, end=0.8, text="One."),), samples)
    assert word.end <= 0.8 + MAX_TRIM_S


@given(st.lists(st.integers(0, 180), min_size=2, max_size=16), st.lists(st.booleans(), min_size=2, max_size=30))
def test_words_never_overlap(hundredths: list[int], loud: list[bool]) -> None:
    samples = sound(*((0.06, 4_000 if moment else 5) for moment in loud))
    times = [moment / 100 for moment in sorted(hundredths)]
    words = tuple(Word(start=start, end=end, text="a") for start, end in zip(times[::2], times[1::2], strict=False))
    after = [time for word in snap_words_to_energy(words, samples) for time in (word.start, word.end)]
    assert after == sorted(after)


def test_moments_within_words_grow_to_their_whole_sound() -> None:
    samples = sound((0.3, 5), (0.3, 4_000), (0.02, 400), (0.3, 4_000), (0.4, 5), (0.2, 4_000), (0.3, 5))
    moments = (0.45, 0.8, 1.4)
    words = snap_words_to_energy(tuple(Word(start=moment, end=moment + 0.03, text="a") for moment in moments), samples)
    times = [time for word in words for time in (word.start, word.end)]
    assert times == pytest.approx([0.3, 0.61, 0.61, 0.92, 1.32, 1.52], abs=0.03)


def test_words_of_constant_energy_stay_as_they_are() -> None:
    words = (Word(start=0.2, end=0.3, text="One"), Word(start=0.5, end=0.6, text="two."))
    assert snap_words_to_energy(words, sound((1.0, 4_000))) == words


def test_no_words_stay_no_words() -> None:
    assert snap_words_to_energy((), np.zeros(SECOND, np.int16)) == ()


def test_the_quietest_moment_is_no_single_frame_in_loud_sound() -> None:
    samples = sound((0.2, 4_000), (0.01, 5), (0.2, 4_000), (0.05, 400), (0.2, 4_000))
    assert EnergyProfile(samples).quietest(0.0, 0.66) == pytest.approx(0.43, abs=0.03)
