from pathlib import Path

import numpy as np
import pytest

from bot.bench import peak
from bot.bench.sounds import RATE, lengths, speech, write_notes
from engine.audio.samples import decode

HUM = np.round(9_000 * np.sin(np.arange(3 * RATE) / 6)).astype(np.int16)


def test_the_mix_of_lengths_is_always_the_same_and_mostly_short() -> None:
    drawn = lengths(200)
    assert drawn == lengths(200)
    assert min(drawn) >= 2
    assert max(drawn) <= 15
    assert 5 < sum(drawn) / len(drawn) < 9


def test_notes_are_telegrams_kind_of_file_as_long_as_asked_for_and_none_like_another(tmp_path: Path) -> None:
    paths = write_notes(HUM, [2.0, 4.5, 4.5], tmp_path / "notes")
    sounds = [decode(path, max_audio_s=60) for path in paths]
    assert [sound.duration for sound in sounds] == pytest.approx([2.0, 4.5, 4.5], abs=0.05)
    assert len({sound.digest for sound in sounds}) == 3
    assert paths[0].read_bytes()[:4] == b"OggS"
    assert b"OpusHead" in paths[0].read_bytes()[:200]


def test_speech_goes_on_as_long_as_is_wanted() -> None:
    long = speech(HUM, 10.0, begin=RATE)
    assert len(long) == 10 * RATE
    assert (long[:RATE] == HUM[RATE : 2 * RATE]).all()


def test_the_work_is_every_weight_once_for_every_row() -> None:
    assert peak.multiply_adds([6.0]) == pytest.approx(234e6 * 104)
    assert peak.multiply_adds([6.0, 6.0]) == pytest.approx(2 * 234e6 * 104)


def test_this_processor_multiplies_at_all() -> None:
    assert peak.measured_fp32() > 0
