from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from engine.audio import SAMPLE_RATE
from engine.audio.samples import Audio, decode
from engine.audio.timestamp_gaps import fill_timestamp_gaps
from engine.errors import AudioTooLong
from tests.engine.sounds import tone, write_film, write_sound

HOUR_S = 3600
FILMS = [
    ("film.mkv", "pcm_s16le"),
    ("film.mkv", "pcm_u8"),
    ("film.mkv", "libopus"),
    ("film.mkv", "aac"),
    ("film.mp4", "libopus"),
    ("film.mp4", "aac"),
]


def read(path: Path, *, max_audio_s: float = 4 * HOUR_S) -> Audio:
    return decode(path, max_audio_s=max_audio_s)


def loud(audio: Audio) -> list[int]:
    """Give the tenths of seconds that hold more than what an encoder lets ring on."""
    whole = audio.samples[: len(audio.samples) // 1600 * 1600].astype(int).reshape(-1, 1600)
    return [int(tenth) for tenth in np.flatnonzero(np.abs(whole).mean(axis=1) > 5_000)]


def frames(times: list[float | None]) -> Iterator[av.AudioFrame]:
    """Give frames of a second that claim these times."""
    for time in times:
        frame = av.AudioFrame.from_ndarray(tone(1).reshape(1, -1), layout="mono")
        frame.sample_rate, frame.time_base = SAMPLE_RATE, Fraction(1, 1000)
        frame.pts = None if time is None else round(time * 1000)
        yield frame


@pytest.mark.parametrize(("name", "codec"), FILMS)
def test_sound_that_begins_after_the_pictures_keeps_its_time(tmp_path: Path, name: str, codec: str) -> None:
    audio = read(write_film(tmp_path / name, sound=tone(2), codec=codec, later=lambda _: 3.0))
    assert audio.duration == pytest.approx(5, abs=0.1)
    assert not audio.samples[: 29 * SAMPLE_RATE // 10].any()
    assert loud(audio) == list(range(30, 50))


@pytest.mark.parametrize(("name", "codec"), FILMS)
def test_sound_after_a_gap_keeps_its_time(tmp_path: Path, name: str, codec: str) -> None:
    film = write_film(tmp_path / name, sound=tone(2), codec=codec, later=lambda at: 5.0 if at > 0.95 else 0.0)
    audio = read(film)
    assert audio.duration == pytest.approx(7, abs=0.1)
    assert set(loud(audio)) == {*range(10), *range(60, 70)}


def test_gaps_add_up_to_the_duration_of_the_file(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mkv", sound=tone(4), codec="pcm_s16le", later=lambda at: 0.08 * round(at * 10))
    assert read(film).duration == pytest.approx(4 + 0.08 * 39, abs=0.1)


def test_rounding_and_encoder_delay_are_no_gap(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mkv", sound=tone(2), codec="pcm_s16le", later=lambda at: 0.09 * (at > 1))
    np.testing.assert_array_equal(read(film).samples, tone(2)[:, 0])


def test_audio_only_files_start_with_their_first_sound(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mka", sound=tone(2), codec="pcm_s16le", later=lambda _: HOUR_S, pictures=False)
    np.testing.assert_array_equal(read(path).samples, tone(2)[:, 0])


def test_the_limit_counts_from_the_first_timestamp(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mka", sound=tone(2), codec="pcm_s16le", later=lambda _: HOUR_S, pictures=False)
    assert read(path, max_audio_s=2).duration == 2
    with pytest.raises(AudioTooLong):
        read(path, max_audio_s=1.5)


def test_gaps_count_for_the_limit(tmp_path: Path) -> None:
    def later(at: float) -> float:
        return 58.5 if at > 0.95 else 0.0

    film = write_film(tmp_path / "film.mkv", sound=tone(2), codec="pcm_s16le", later=later, live=True)
    assert read(film, max_audio_s=61).duration == pytest.approx(60.5, abs=0.01)
    with pytest.raises(AudioTooLong):
        read(film, max_audio_s=60)


def test_a_timestamp_beyond_the_limit_is_ignored(tmp_path: Path) -> None:
    def later(at: float) -> float:
        return 10.0 * HOUR_S if at > 0.95 else 0.0

    film = write_film(tmp_path / "film.mkv", sound=tone(2), codec="pcm_s16le", later=later, live=True)
    np.testing.assert_array_equal(read(film).samples, tone(2)[:, 0])


@pytest.mark.parametrize(
    ("times", "seconds"),
    [
        ([0, 1, 2], 3),
        ([0, 4, 5], 6),
        ([3, 4, 5], 6),
        ([2, 1, 0, -50], 6),
        ([0, 10, 0, 10, 0, 10, 0, 10], 17),
        ([None, None, None], 3),
        ([None, 4, None, 6], 7),
        ([0, 1e9, 1e9 + 1, 3], 4),
        ([0, 59, 60], 61),
        ([0, 61, 62], 3),
    ],
    ids=["whole", "hole", "late", "backwards", "zigzag", "untold", "told at times", "absurd", "longest", "beyond"],
)
def test_timestamps_add_no_more_silence_than_the_limit(tmp_path: Path, times: list[float | None], seconds: int) -> None:
    with av.open(str(write_sound(tmp_path / "a.mka", tone(1)))) as container:
        given = list(fill_timestamp_gaps(container, frames(times), limit_s=60))
    assert sum(frame.samples for frame in given) == seconds * SAMPLE_RATE


def test_ogg_frames_follow_each_other_whatever_their_timestamps(tmp_path: Path) -> None:
    with av.open(str(write_sound(tmp_path / "note.ogg", tone(1), codec="libopus"))) as container:
        given = list(fill_timestamp_gaps(container, frames([5, 50, 500]), limit_s=HOUR_S))
    assert sum(frame.samples for frame in given) == 3 * SAMPLE_RATE
