import os
import re
import stat
from pathlib import Path

import pytest

from storage.recordings import ABANDONED_S, Recordings


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "voice.ogg"
    path.write_bytes(b"sound")
    return path


def test_a_recording_is_named_by_day_number_and_note(tmp_path: Path, source: Path) -> None:
    recordings = Recordings(tmp_path / "kept", 10)
    names = [recordings.save(f"a{number}", source, ".OGG") for number in range(2)]
    assert all(re.fullmatch(rf"\d{{4}}-\d\d-\d\d_00{n + 1}_a{n}\.ogg", name or "") for n, name in enumerate(names))
    path = tmp_path / "kept" / (names[0] or "")
    assert path.read_bytes() == b"sound"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_only_the_newest_are_kept(tmp_path: Path, source: Path) -> None:
    recordings = Recordings(tmp_path / "kept", 3)
    names = [recordings.save(f"a{number}", source, "ogg") for number in range(6)]
    assert [(tmp_path / "kept" / (name or "")).exists() for name in names] == [False] * 3 + [True] * 3


def test_numbers_go_on_beyond_999(tmp_path: Path, source: Path) -> None:
    recordings = Recordings(tmp_path / "kept", 2)
    name = recordings.save("a1", source, "ogg") or ""
    (tmp_path / "kept" / name).rename(tmp_path / "kept" / name.replace("_001_", "_999_"))
    assert "_1000_a2." in (recordings.save("a2", source, "ogg") or "")
    assert "_1001_a3." in (recordings.save("a3", source, "ogg") or "")
    assert sorted(path.name[11:] for path in (tmp_path / "kept").iterdir()) == ["1000_a2.ogg", "1001_a3.ogg"]


def test_a_note_keeps_its_recording_when_it_comes_again(tmp_path: Path, source: Path) -> None:
    recordings = Recordings(tmp_path / "kept", 10)
    assert recordings.save("a1", source, "ogg") == recordings.save("a1", source, "ogg")


def test_none_are_kept_where_none_are_wanted(tmp_path: Path, source: Path) -> None:
    Recordings(tmp_path / "kept", 5).save("a1", source, "ogg")
    assert Recordings(tmp_path / "kept", 0).save("a2", source, "ogg") is None
    assert list((tmp_path / "kept").iterdir()) == []


def test_an_extension_is_made_harmless(tmp_path: Path, source: Path) -> None:
    name = Recordings(tmp_path / "kept", 5).save("a1", source, "./../x?y") or ""
    assert name.endswith("_a1.xy")


def test_a_note_s_recording_is_forgotten_and_no_other(tmp_path: Path, source: Path) -> None:
    recordings = Recordings(tmp_path / "kept", 5)
    names = [recordings.save(note_id, source, "ogg") or "" for note_id in ("a1", "a11")]
    recordings.delete("a1")
    recordings.delete("a1")
    recordings.delete("b2")
    assert [(tmp_path / "kept" / name).exists() for name in names] == [False, True]


def test_what_a_crash_left_half_copied_goes_after_a_while(tmp_path: Path, source: Path) -> None:
    recordings = Recordings(tmp_path / "kept", 5)
    recordings.save("a1", source, "ogg")
    old, new = tmp_path / "kept/.2026-01-01_001_b1.ogg.part", tmp_path / "kept/.2026-01-01_002_b2.ogg.part"
    for partial in (old, new):
        partial.write_bytes(b"so")
    os.utime(old, (0, new.stat().st_mtime - ABANDONED_S - 1))
    recordings.save("a2", source, "ogg")
    assert (old.exists(), new.exists()) == (False, True)
