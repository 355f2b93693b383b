"""The demo: the whole system as real processes, with the model that needs no weights."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bot.cli.demo import with_starter_model
from bot.config.settings import Settings
from engine.settings import EngineSettings
from tests.bot.cli.conftest import Earshot


def test_a_file_goes_through_the_whole_system_and_the_owners_settings_are_left_alone(
    earshot_process: Earshot, tone: Callable[[str, float], Path], tmp_path: Path
) -> None:
    away = {"EARSHOT_REDIS__URL": "redis://127.0.0.1:9", "EARSHOT_TELEGRAM__TOKEN": "1:own"}
    done = earshot_process("demo", "--once", tone("memo.wav", 2.0), **away)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "You      (voice note, 2 s)" in done.stdout
    assert "Earshot  fake 2.0s " in done.stdout
    assert not (tmp_path / "data").exists()


def test_what_is_set_for_the_owners_model_does_not_reach_the_small_one(monkeypatch: pytest.MonkeyPatch) -> None:
    own = EngineSettings(
        model="sensevoice", language="zh", hotwords=Path("gone.txt"), precision="bf16", device="cpu", timeout_s=7
    )
    monkeypatch.delenv("EARSHOT_ENGINE__MODEL", raising=False)
    small = with_starter_model(Settings(engine=own)).engine
    assert small == own.model_copy(
        update={"model": "starter", "language": "auto", "hotwords": None, "precision": "auto"}
    )


@pytest.mark.slow
def test_a_file_that_becomes_no_text_makes_it_1(
    earshot_process: Earshot, tone: Callable[[str, float], Path], tmp_path: Path
) -> None:
    (tmp_path / "bad.ogg").write_bytes(b"no sound at all" * 100)
    done = earshot_process("demo", tmp_path / "bad.ogg", tone("memo.wav", 2.0))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "I cannot read this file" in done.stdout
    assert "Earshot  memo.wav: fake 2.0s " in done.stdout
    assert "not every recording became text" in done.stderr
