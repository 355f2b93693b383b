import warnings
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from engine.audio.channels import Channel, split_channels
from engine.audio.samples import Audio, decode
from engine.errors import Cancelled

SECOND = 16_000


def bursts(seed: int, *, seconds: int = 20) -> NDArray[np.float64]:
    """Make something as loud and quiet as speech: noise in bursts of a tenth to a second."""
    rng = np.random.default_rng(seed)
    loudness = np.repeat(rng.choice([0.0, 1.0], 200), rng.integers(SECOND // 10, SECOND, 200))[: seconds * SECOND]
    noise: NDArray[np.float64] = rng.normal(0, 3_000, len(loudness)) * loudness + rng.normal(0, 5, len(loudness))
    return noise


def hum(loudness: float) -> NDArray[np.float64]:
    wave: NDArray[np.float64] = loudness * np.sin(2 * np.pi * 50 * np.arange(20 * SECOND) / SECOND)
    return wave


def music(seed: int) -> NDArray[np.float64]:
    """Make six tones that swell and fade, each in its time."""
    rng = np.random.default_rng(seed)
    times = np.arange(20 * SECOND) / SECOND
    tones = [
        500 * np.sin(2 * np.pi * pitch * times) * (0.6 + 0.4 * np.sin(2 * np.pi * swell * times))
        for pitch, swell in zip(rng.uniform(100, 2000, 6), rng.uniform(0.2, 3, 6), strict=True)
    ]
    total: NDArray[np.float64] = np.sum(tones, axis=0)
    return total


def both(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.int16]:
    return np.stack([left, right], axis=1).clip(-32_768, 32_767).astype("<i2")


def has_two_speakers(stereo: NDArray[np.int16]) -> bool:
    return len(split_channels(Audio(samples=stereo), "auto")) == 2


def test_two_telephones_are_two_speakers() -> None:
    assert has_two_speakers(both(bursts(1), bursts(2)))


def test_a_loud_and_a_soft_voice_are_two_speakers() -> None:
    assert has_two_speakers(both(bursts(1), bursts(2) / 10))


@pytest.mark.parametrize("delay_s", [0, 0.2])
def test_crosstalk_and_echo_of_twenty_decibels_less_leave_two_speakers_two(delay_s: float) -> None:
    left, right = bursts(1), bursts(2)
    delay = round(delay_s * SECOND)
    assert has_two_speakers(both(left + np.roll(right, delay) / 10, right + np.roll(left, delay) / 10))


def test_hum_on_one_telephone_leaves_two_speakers_two() -> None:
    assert has_two_speakers(both(bursts(1) + hum(300), bursts(2)))


def test_a_speaker_who_says_only_a_word_counts() -> None:
    word = np.where(np.arange(20 * SECOND) < 2 * SECOND, bursts(2), 0)
    assert has_two_speakers(both(bursts(1), word + np.random.default_rng(4).normal(0, 5, 20 * SECOND)))


@pytest.mark.parametrize(
    "right",
    [
        bursts(1),
        bursts(1) / 4,
        -bursts(1),
        np.roll(bursts(1), 8),
        bursts(1) + bursts(3) / 20,
        np.roll(bursts(1), SECOND // 20),
        np.roll(bursts(1), -SECOND // 3) / 10,
        np.roll(bursts(1), SECOND),
        bursts(1) + hum(300),
    ],
    ids=[
        "equal",
        "panned",
        "inverted",
        "two microphones",
        "with other noise",
        "50 ms later",
        "a third of a second earlier, and softer",
        "a second later",
        "with hum",
    ],
)
def test_one_voice_in_both_channels_is_one(right: NDArray[np.float64]) -> None:
    assert not has_two_speakers(both(bursts(1), right))


@pytest.mark.parametrize("seed", range(3))
def test_one_voice_before_a_stereo_bed_of_music_is_one(seed: int) -> None:
    voice = bursts(seed)
    assert not has_two_speakers(both(voice + music(10), voice + music(11)))
    assert not has_two_speakers(both(voice + 9 * music(10), voice + 9 * music(11)))
    assert not has_two_speakers(both(voice + music(10), voice - music(10)))


@pytest.mark.parametrize("other", ["hum", "hiss", "music"])
def test_a_channel_without_speech_is_no_voice(other: str) -> None:
    sound = {"hum": hum(900), "hiss": np.random.default_rng(7).normal(0, 300, 20 * SECOND), "music": music(12)}[other]
    assert not has_two_speakers(both(bursts(1), sound))
    assert not has_two_speakers(both(sound, bursts(1)))


def test_a_silent_channel_has_no_voice() -> None:
    assert not has_two_speakers(both(bursts(1), np.zeros(20 * SECOND)))
    assert not has_two_speakers(both(np.zeros(SECOND), np.zeros(SECOND)))


def test_mono_is_one_channel_in_every_mode() -> None:
    audio = Audio(samples=np.ones(SECOND, "<i2"))
    assert [split_channels(audio, mode) for mode in ("auto", "mix", "split")] == [(Channel(audio),)] * 3


def test_stereo_is_split_or_mixed_as_asked() -> None:
    audio = Audio(samples=both(bursts(1), bursts(2)))
    assert split_channels(audio, "split") == (Channel(audio, 0), Channel(audio, 1))
    assert [(channel.audio, channel.index) for channel in split_channels(audio, "auto")] == [(audio, 0), (audio, 1)]
    assert split_channels(audio, "mix") == (Channel(audio),)
    same = Audio(samples=both(bursts(1), bursts(1)))
    assert split_channels(same, "auto") == (Channel(same),)
    assert len(split_channels(same, "split")) == 2


def test_a_channel_gives_its_own_samples() -> None:
    audio = Audio(samples=both(bursts(1), bursts(2)))
    np.testing.assert_array_equal(Channel(audio, 0).samples(100, 900), audio.samples[100:900, 0])
    np.testing.assert_array_equal(Channel(audio, 1).samples(100, 900), audio.samples[100:900, 1])


@given(arrays(np.dtype("<i2"), st.tuples(st.integers(1, 50), st.just(2))))
def test_channels_and_their_mix_are_those_of_pydub(stereo: NDArray[np.int16]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for ffmpeg when imported
        from pydub import AudioSegment  # noqa: PLC0415 - as above

    segment = AudioSegment(data=stereo.tobytes(), sample_width=2, frame_rate=SECOND, channels=2)
    left, right = segment.split_to_mono()
    audio = Audio(samples=stereo)
    for index, expected in ((0, left), (1, right), (None, segment.set_channels(1))):
        samples = Channel(audio, index).samples(0, len(stereo))
        np.testing.assert_array_equal(samples, np.frombuffer(expected.raw_data, "<i2"))
        assert samples.flags.c_contiguous


def test_blocks_are_the_whole_channel() -> None:
    channel = Channel(Audio(samples=bursts(4).astype("<i2")))
    blocks = list(channel.blocks(7_777))
    assert max(len(block) for block in blocks) == 7_777
    np.testing.assert_array_equal(np.concatenate(blocks), channel.audio.samples)


def test_crosstalk_is_silenced_for_speech_detection() -> None:
    """Who speaks first is heard in the other channel, twenty decibels less."""
    first = np.where(np.arange(20 * SECOND) < 10 * SECOND, bursts(1), 0)
    second = np.where(np.arange(20 * SECOND) >= 10 * SECOND, bursts(2), 0)
    audio = Audio(samples=both(first + second / 10, second + first / 10))
    for channel, other in zip(split_channels(audio, "auto"), (second, first), strict=True):
        searched = np.concatenate(list(channel.blocks(20 * SECOND))).astype(float)
        all_heard = channel.samples(0, 20 * SECOND).astype(float)
        own = np.abs(other) < 50
        assert np.square(searched[own]).sum() > 0.99 * np.square(all_heard[own]).sum()
        assert np.square(searched[~own]).sum() < 0.05 * np.square(all_heard[~own]).sum()
    for channel in split_channels(audio, "split"):
        np.testing.assert_array_equal(np.concatenate(list(channel.blocks(SECOND))), channel.samples(0, 20 * SECOND))


@pytest.mark.parametrize("length", [1, 159, 160, 161, 5_000])
def test_short_blocks_have_their_full_length(length: int) -> None:
    audio = Audio(samples=both(bursts(1), bursts(2)))
    for channel in split_channels(audio, "auto"):
        assert channel.loudest_db
        assert len(np.concatenate(list(islice(channel.blocks(length), 50)))) == 50 * length


def test_the_quietest_moment_is_found() -> None:
    samples = np.random.default_rng(5).normal(0, 3_000, 10 * SECOND)
    samples[6 * SECOND : 6 * SECOND + 4_000] /= 100
    channel = Channel(Audio(samples=samples.astype("<i2")))
    assert 6 * SECOND <= channel.quietest(2 * SECOND, 9 * SECOND) <= 6 * SECOND + 4_000


def test_a_short_stretch_is_cut_in_its_middle() -> None:
    channel = Channel(Audio(samples=np.ones(SECOND, "<i2")))
    assert channel.quietest(100, 200) == 150


def test_the_two_speakers_of_a_real_recording_are_told_apart(shared: Path) -> None:
    audio = decode(shared / "clips/en_stereo_two_speakers.wav", max_audio_s=60)
    assert len(split_channels(audio, "auto")) == 2


def test_crosstalk_between_two_real_speakers_does_no_harm(shared: Path) -> None:
    stereo = decode(shared / "clips/en_stereo_two_speakers.wav", max_audio_s=60).samples
    assert has_two_speakers((stereo + stereo[:, ::-1] / 10).astype("<i2"))


def test_a_real_recording_with_the_same_voice_in_both_channels_is_mixed(shared: Path) -> None:
    audio = decode(shared / "clips/en_jfk.flac", max_audio_s=60)
    assert audio.channels == 2
    assert len(split_channels(audio, "auto")) == 1


def test_comparing_the_channels_can_be_cancelled_at_every_minute() -> None:
    looks = iter([False, False, True])

    def raise_if_cancelled() -> None:
        if next(looks):
            raise Cancelled

    with pytest.raises(Cancelled):
        split_channels(Audio(samples=np.zeros((200 * SECOND, 2), "<i2")), "auto", raise_if_cancelled)
