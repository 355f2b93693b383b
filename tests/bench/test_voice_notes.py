import wave
from pathlib import Path

import numpy as np
import pytest

from bot.bench.speech_samples import SAMPLE_RATE
from engine.audio.samples import decode
from tests.bench.voice_notes import read_samples, write_notes

HUM = np.round(9_000 * np.sin(np.arange(3 * SAMPLE_RATE) / 6)).astype(np.int16)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "hum.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(HUM.tobytes())
    return path


def test_a_recording_is_read_as_it_is(recording: Path) -> None:
    assert (read_samples(recording) == HUM).all()


def test_notes_are_telegrams_kind_of_file_as_long_as_asked_for_and_none_like_another(
    recording: Path, tmp_path: Path
) -> None:
    paths = write_notes(recording, [2.0, 4.5, 4.5], tmp_path / "notes")
    sounds = [decode(path, max_audio_s=60) for path in paths]
    assert [sound.duration for sound in sounds] == pytest.approx([2.0, 4.5, 4.5], abs=0.05)
    assert len({sound.digest for sound in sounds}) == 3
    assert paths[0].read_bytes()[:4] == b"OggS"
    assert b"OpusHead" in paths[0].read_bytes()[:200]
