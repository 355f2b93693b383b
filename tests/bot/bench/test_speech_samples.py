import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bot.bench.speech_samples import SAMPLE_RATE, draw_lengths, repeat_speech, write_recordings
from engine import decode

HUM = np.round(9_000 * np.sin(np.arange(3 * SAMPLE_RATE) / 6)).astype(np.int16)


def test_the_mix_of_lengths_is_always_the_same_and_mostly_short() -> None:
    drawn = draw_lengths(200)
    assert drawn == draw_lengths(200)
    assert min(drawn) >= 2
    assert max(drawn) <= 15
    assert 5 < sum(drawn) / len(drawn) < 9


def test_recordings_are_as_long_as_asked_for_and_none_is_like_another(tmp_path: Path) -> None:
    paths = write_recordings(HUM, [2.0, 4.5, 4.5], tmp_path / "notes")
    sounds = [decode(path, max_audio_s=60) for path in paths]
    assert [sound.duration for sound in sounds] == pytest.approx([2.0, 4.5, 4.5])
    assert len({sound.digest for sound in sounds}) == 3
    assert (sounds[0].samples[:SAMPLE_RATE] == HUM[:SAMPLE_RATE]).all()


def test_what_decodes_is_not_loaded_into_the_process_that_is_measured() -> None:
    loaded = "import sys, bot.cli.bench; print('av' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_speech_goes_on_as_long_as_is_wanted() -> None:
    long = repeat_speech(HUM, 10.0, begin=SAMPLE_RATE)
    assert len(long) == 10 * SAMPLE_RATE
    assert (long[:SAMPLE_RATE] == HUM[SAMPLE_RATE : 2 * SAMPLE_RATE]).all()
