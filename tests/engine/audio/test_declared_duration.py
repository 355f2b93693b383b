"""What a file says of its length, against what is left of it."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.audio import SAMPLE_RATE
from engine.audio.samples import decode
from tests.engine.sounds import tone, write_film, write_sound

HOUR_S = 3600
NOISE = np.random.default_rng(0).integers(-9_000, 9_000, (10 * SAMPLE_RATE, 1), dtype=np.int16)

TELLING = [
    ("note.wav", "pcm_s16le", None),
    ("telephone.wav", "pcm_mulaw", None),
    ("note.flac", "flac", None),
    ("note.mp3", "libmp3lame", None),
    ("note.mka", "flac", None),
    ("note.webm", "libopus", None),
]
SILENT = [("note.ogg", "libopus", None), ("note.aac", "aac", "adts"), ("note.mp3", "libmp3lame", "mp3")]


def promised(path: Path, *, max_audio_s: float = 4 * HOUR_S) -> float | None:
    return decode(path, max_audio_s=max_audio_s).declared_s


def noise(path: Path, codec: str, form: str | None, *, quiet_s: int = 0) -> Path:
    rate = 48_000 if codec == "libopus" else SAMPLE_RATE
    samples = np.repeat(NOISE, rate // SAMPLE_RATE, axis=0)
    samples[: quiet_s * rate] = 0
    return write_sound(path, samples, codec=codec, rate=rate, form=form)


def cut(path: Path, share: float = 0.5) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: round(share * len(content))])
    return path


@pytest.mark.parametrize(("name", "codec", "form"), TELLING)
def test_a_file_that_is_cut_off_still_declares_its_duration(
    tmp_path: Path, name: str, codec: str, form: str | None
) -> None:
    whole = noise(tmp_path / name, codec, form)
    assert promised(whole) is None
    assert promised(cut(whole)) == pytest.approx(10, abs=0.1)


@pytest.mark.parametrize(("name", "codec", "form"), SILENT)
@pytest.mark.parametrize("share", [1, 0.5])
def test_an_estimated_duration_is_not_declared(
    tmp_path: Path, name: str, codec: str, form: str | None, share: float
) -> None:
    path = noise(tmp_path / name, codec, form, quiet_s=8)  # a guess from its beginning is far too long
    path.write_bytes(path.read_bytes().replace(b"Xing", bytes(4)).replace(b"Info", bytes(4)))
    assert promised(cut(path, share)) is None


def test_an_mp3_whose_bit_rate_rises_declares_nothing(tmp_path: Path) -> None:
    """FFmpeg estimates its duration by the low bit rate of its first frame: far too long."""
    low = write_sound(tmp_path / "low.mp3", NOISE[: 2 * SAMPLE_RATE], codec="libmp3lame", bit_rate=32_000)
    high = write_sound(tmp_path / "high.mp3", NOISE, codec="libmp3lame", bit_rate=160_000)
    parts = (path.read_bytes().replace(b"Xing", bytes(4)).replace(b"Info", bytes(4)) for path in (low, high))
    path = tmp_path / "note.mp3"
    path.write_bytes(b"".join(parts))
    assert promised(path) is None


@pytest.mark.parametrize(("whole_s", "missing_s"), [(10, 0.9), (40, 1.9)], ids=["under a second", "under 5 %"])
def test_a_slightly_shorter_file_is_whole(tmp_path: Path, whole_s: float, missing_s: float) -> None:
    path = write_sound(tmp_path / "note.wav", tone(whole_s))
    assert promised(cut(path, 1 - missing_s / whole_s)) is None


@pytest.mark.parametrize("size", [0, 0x7F00_0000, 0x7FFF_F000, 0x8000_0000, 0xFFFF_FFFF])
def test_a_streamed_wav_file_declares_no_duration(tmp_path: Path, size: int) -> None:
    path = noise(tmp_path / "note.wav", "pcm_s16le", None)
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = struct.pack("<I", size)
    path.write_bytes(content)
    assert promised(path, max_audio_s=100 * HOUR_S) is None


def test_a_declared_duration_above_the_limit_is_ignored(tmp_path: Path) -> None:
    path = cut(noise(tmp_path / "note.wav", "pcm_s16le", None))
    assert promised(path, max_audio_s=10) == 10
    assert promised(path, max_audio_s=9) is None


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv"])
@pytest.mark.parametrize("later", [lambda _: 3.0, lambda at: 5.0 * (at > 0.95)], ids=["begins late", "a hole"])
def test_a_film_with_less_sound_than_pictures_is_whole(
    tmp_path: Path, name: str, later: Callable[[float], float]
) -> None:
    codec = "aac" if name == "film.mp4" else "pcm_s16le"
    assert promised(write_film(tmp_path / name, sound=tone(2), codec=codec, later=later)) is None


def test_sound_whose_timestamps_start_late_is_whole(tmp_path: Path) -> None:
    path = write_film(tmp_path / "part.mka", sound=tone(2), codec="pcm_s16le", later=lambda _: HOUR_S, pictures=False)
    assert promised(path) is None


def test_clips_of_real_recordings_are_whole_but_one(shared: Path) -> None:
    clips = [path for path in (shared / "clips").rglob("*.*") if path.suffix in {".wav", ".ogg", ".mp3", ".flac"}]
    unreadable = {"bad.wav", "notsound.wav"}
    told = {path.name: promised(path) for path in clips if path.name not in unreadable}
    assert {name: length for name, length in told.items() if length} == {"truncated_half.wav": 8.0}
