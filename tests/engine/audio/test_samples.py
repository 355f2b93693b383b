import hashlib
import struct
import threading
from pathlib import Path

import av
import numpy as np
import pytest

from engine.audio import SAMPLE_RATE
from engine.audio.samples import Audio, check_readable, decode, start_decoder
from engine.audio.sandbox import DecoderProcess
from engine.errors import AudioFault, AudioTooLong, AudioTooShort, AudioUnreadable, Cancelled, NoAudioTrack
from tests.engine.sounds import mono, tone, write_film, write_silent_opus, write_sound

HOUR_S = 3600


def read(path: Path, *, max_audio_s: float = 4 * HOUR_S) -> Audio:
    return decode(path, max_audio_s=max_audio_s)


def wav(path: Path, body: bytes, *, channels: int = 1, rate: int = SAMPLE_RATE, floats: bool = False) -> Path:
    kind, bits = (3, 32) if floats else (1, 16)
    block = channels * bits // 8
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, kind, channels, rate, rate * block, block, bits)
    content = b"WAVE" + form + struct.pack("<4sI", b"data", len(body)) + body
    path.write_bytes(struct.pack("<4sI", b"RIFF", len(content)) + content)
    return path


def peak_hertz(audio: Audio) -> float:
    samples = mono(audio).astype(np.float64)
    return float(np.abs(np.fft.rfft(samples)).argmax()) * SAMPLE_RATE / len(samples)


def memory_kib() -> int:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("RssAnon:")[1].split()[0])


FORMATS = [
    ("note.ogg", "libopus", 48_000, None),
    ("note.mp3", "libmp3lame", 44_100, None),
    ("note.m4a", "aac", 44_100, None),
    ("alac.m4a", "alac", 44_100, "ipod"),
    ("note.aac", "aac", 44_100, "adts"),
    ("note.flac", "flac", 48_000, None),
    ("note.webm", "libopus", 48_000, None),
    ("note.mka", "flac", 16_000, None),
    ("note.amr", "libopencore_amrnb", 8_000, None),
    ("note.3gp", "libopencore_amrnb", 8_000, None),
    ("note.aiff", "pcm_s16be", 44_100, None),
    ("note.caf", "pcm_s16be", 44_100, None),
    ("note.au", "pcm_s16be", 44_100, None),
    ("telephone.wav", "pcm_mulaw", 8_000, None),
    ("studio.wav", "pcm_s24le", 96_000, None),
    ("finest.wav", "pcm_s24le", 192_000, None),
    ("old.wav", "pcm_u8", 8_000, None),
    ("float.wav", "pcm_f32le", 48_000, None),
]


@pytest.mark.parametrize(("name", "codec", "rate", "form"), FORMATS)
def test_every_common_format_is_read(tmp_path: Path, name: str, codec: str, rate: int, form: str | None) -> None:
    path = write_sound(tmp_path / name, tone(1, rate=rate), codec=codec, rate=rate, form=form)
    audio = read(path)
    assert audio.duration == pytest.approx(1, abs=0.12)
    assert peak_hertz(audio) == pytest.approx(440, abs=5)


def test_a_misleading_name_does_not_matter(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "note.flac", tone(1), codec="flac").rename(tmp_path / "note.mp3")
    assert read(path).duration == 1


def test_16_khz_16_bit_mono_comes_through_bit_by_bit(tmp_path: Path) -> None:
    samples = np.random.default_rng(1).integers(-32_768, 32_768, 20_000, dtype="<i2")
    audio = read(wav(tmp_path / "exact.wav", samples.tobytes()))
    np.testing.assert_array_equal(audio.samples, samples)
    assert audio.digest == hashlib.sha256(samples.tobytes()).hexdigest()


def test_stereo_keeps_its_channels_and_its_digest_is_of_the_mix(tmp_path: Path) -> None:
    stereo = np.random.default_rng(2).integers(-30_000, 30_000, (20_000, 2), dtype="<i2")
    audio = read(wav(tmp_path / "stereo.wav", stereo.tobytes(), channels=2))
    np.testing.assert_array_equal(audio.samples, stereo)
    assert (audio.channels, audio.duration) == (2, 1.25)
    mixed = ((stereo.astype(int).sum(axis=1) + 1) // 2).astype("<i2")
    assert audio.digest == hashlib.sha256(mixed.tobytes()).hexdigest()


def test_the_decoder_can_be_started_ahead_of_the_first_file(monkeypatch: pytest.MonkeyPatch) -> None:
    started = threading.Event()
    monkeypatch.setattr(DecoderProcess, "start", lambda _: started.set())
    start_decoder()
    assert started.wait(60)


def test_computing_the_digest_can_be_cancelled() -> None:
    cancelled = threading.Event()
    samples = np.ones(20_000, "<i2")
    assert Audio(samples=samples, cancelled=cancelled).digest == Audio(samples=samples).digest
    cancelled.set()
    with pytest.raises(Cancelled):
        Audio(samples=samples, cancelled=cancelled)


def test_more_than_two_channels_are_mixed_down(tmp_path: Path) -> None:
    audio = read(write_sound(tmp_path / "cinema.wav", tone(1, channels=6)))
    assert audio.channels == 1
    assert peak_hertz(audio) == pytest.approx(440, abs=2)


def test_check_readable_accepts_any_length_and_refuses_what_is_not_audio(tmp_path: Path) -> None:
    for seconds in (1, 2, HOUR_S):
        check_readable(write_silent_opus(tmp_path / "note.ogg", seconds))
    (tmp_path / "note.ogg").write_bytes(b"no sound at all")
    with pytest.raises(AudioUnreadable):
        check_readable(tmp_path / "note.ogg")


def test_resampling_lets_no_high_tone_through_as_a_low_one(tmp_path: Path) -> None:
    high = read(write_sound(tmp_path / "high.wav", tone(1, hertz=10_000, rate=44_100), rate=44_100))
    assert np.abs(high.samples[1600:-1600].astype(int)).max() < 20


def test_a_film_is_read_for_its_sound(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mp4", sound=tone(1))
    assert peak_hertz(read(film)) == pytest.approx(440, abs=5)


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv"])
def test_a_silent_film_has_no_sound_track(tmp_path: Path, name: str) -> None:
    with pytest.raises(NoAudioTrack):
        read(write_film(tmp_path / name, sound=None))


def test_what_is_not_a_number_becomes_silence(tmp_path: Path) -> None:
    floats = np.full(16_000, 0.25, "<f4")
    floats[4_000:8_000] = np.nan
    floats[8_000:12_000] = np.inf
    audio = read(wav(tmp_path / "nan.wav", floats.tobytes(), floats=True))
    assert set(audio.samples[:4_000]) == {8_192}
    assert set(audio.samples[4_000:8_000]) == {0}
    assert set(audio.samples[8_000:12_000]) == {32_767}


@pytest.mark.parametrize("rate", [1_092_676, 400_000, 3_999, 1])
def test_an_absurd_sample_rate_is_refused(tmp_path: Path, rate: int) -> None:
    with pytest.raises(AudioUnreadable):
        read(wav(tmp_path / "rate.wav", bytes(64_000), rate=rate))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"\x00" * 4096,
        b"RIFF" + b"\xff" * 40,
        b"OggS" + b"\x00" * 100,
        b"\x89PNG\r\n\x1a\n" + b"\x00" * 99,
    ],
    ids=["empty", "text", "zeros", "broken header", "broken ogg", "picture"],
)
def test_a_file_that_is_not_audio_is_unreadable(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "note.ogg"
    path.write_bytes(content)
    with pytest.raises(AudioUnreadable, match="wav, mp3, m4a"):
        read(path)


def test_no_channels_at_all_is_a_fault_of_the_audio(tmp_path: Path) -> None:
    with pytest.raises(AudioFault):
        read(wav(tmp_path / "none.wav", bytes(64_000), channels=0))


@pytest.mark.parametrize("missing", ["nothing.ogg", "."])
def test_a_path_that_is_no_file_is_unreadable(tmp_path: Path, missing: str) -> None:
    with pytest.raises(AudioUnreadable):
        read(tmp_path / missing)


@pytest.mark.parametrize("frames", [0, 1, 320, 1599])
def test_less_than_100_ms_is_too_short(tmp_path: Path, frames: int) -> None:
    with pytest.raises(AudioTooShort if frames else AudioFault):
        read(wav(tmp_path / "short.wav", bytes(2 * frames)))


def test_100_ms_is_enough(tmp_path: Path) -> None:
    assert read(wav(tmp_path / "short.wav", bytes(3200))).duration == 0.1


def test_a_truncated_file_gives_what_is_there(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "whole.wav", tone(2))
    path.write_bytes(path.read_bytes()[:32_044])
    assert read(path).duration == pytest.approx(1, abs=0.01)


def test_damaged_packets_are_skipped(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "note.mp3", tone(10, rate=44_100), codec="libmp3lame", rate=44_100)
    content = bytearray(path.read_bytes())
    rng = np.random.default_rng(3)
    for position in rng.integers(2_000, len(content), 200):
        content[position] = rng.integers(256)
    path.write_bytes(content)
    assert 8 < read(path).duration < 11


def test_the_limit_of_duration_is_exact(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "note.wav", tone(3))
    assert read(path, max_audio_s=3).duration == 3
    with pytest.raises(AudioTooLong):
        read(path, max_audio_s=2.99)


def test_ten_hours_of_silence_are_refused_without_decoding_them(tmp_path: Path) -> None:
    with pytest.raises(AudioTooLong, match="240 minutes"):
        read(write_silent_opus(tmp_path / "bomb.ogg", 10 * HOUR_S))


def test_a_header_with_a_wrong_duration_is_not_believed(tmp_path: Path) -> None:
    path = wav(tmp_path / "note.wav", bytes(64_000))
    content = bytearray(path.read_bytes())
    content[40:44] = struct.pack("<I", 0xFFFFFFF0)
    path.write_bytes(content)
    assert read(path, max_audio_s=60).duration == 2


def test_a_playlist_is_refused_however_it_is_named(tmp_path: Path) -> None:
    write_sound(tmp_path / "secret.ts", tone(1), codec="mp2", form="mpegts")
    playlist = tmp_path / "note.ogg"
    playlist.write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{tmp_path / 'secret.ts'}\n#EXT-X-ENDLIST\n", encoding="utf-8"
    )
    with av.open(str(playlist), format="hls") as unguarded:
        assert unguarded.streams.audio
    with pytest.raises(AudioUnreadable):
        read(playlist)


@pytest.mark.parametrize(
    "text", ["ffconcat version 1.0\nfile secret.wav\n", "<MPD></MPD>", "[playlist]\nFile1=/etc/passwd\n"]
)
def test_other_lists_of_files_are_refused(tmp_path: Path, text: str) -> None:
    write_sound(tmp_path / "secret.wav", tone(1))
    path = tmp_path / "note.wav"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(AudioUnreadable):
        read(path)


def test_long_sound_stays_out_of_memory(tmp_path: Path) -> None:
    path = write_silent_opus(tmp_path / "long.ogg", 1200)
    read(write_sound(tmp_path / "first.wav", tone(1)))
    before = memory_kib()
    audio = read(path)
    assert audio.samples.nbytes > 38_000_000
    assert memory_kib() - before < 12_000


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_four_hours_are_read_in_bounded_memory(tmp_path: Path) -> None:
    path = write_silent_opus(tmp_path / "day.ogg", 4 * HOUR_S - 1)
    before = memory_kib()
    audio = read(path)
    assert audio.duration == pytest.approx(4 * HOUR_S, abs=5)
    assert memory_kib() - before < 20_000


def test_clips_of_real_recordings_are_read(shared: Path) -> None:
    clips = shared / "clips"
    assert read(clips / "en_jfk.flac").duration == pytest.approx(11.0, abs=0.1)
    assert read(clips / "robustness/corrupted_bytes.mp3").duration == pytest.approx(53, abs=2)
    assert read(clips / "robustness/truncated_half.wav").duration == pytest.approx(4, abs=0.1)
    for unreadable in ("bad.wav", "notsound.wav"):
        with pytest.raises(AudioUnreadable):
            read(clips / "robustness" / unreadable)
