"""Whichever line the bot or a worker is killed at, each note is answered once with its own text."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from bot.bot_process import run_bot
from bot.worker_process import run_worker_process
from tests.chaos.forked import ended, living
from tests.chaos.ground import Ground, prepared
from tests.chaos.telling import LONG, tell
from tests.chaos.verdict import unexplained

FEW = 12


def points(lines: str, most: int) -> list[int]:
    """Spread so many numbers, or as many as there are, evenly over all lines."""
    count = int(lines)
    return [int((place + 0.5) * count / most) for place in range(most)] if most < count else list(range(count))


def few_or(many: int) -> pytest.MarkDecorator:
    slow = pytest.param(many, marks=[pytest.mark.slow, pytest.mark.timeout(1200)])
    return pytest.mark.parametrize("most", [FEW, slow])


@pytest.fixture
async def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Ground]:
    monkeypatch.setenv("EARSHOT_CONFIG", str(tmp_path / "none.toml"))
    async with prepared(tmp_path) as prepared_ground:
        yield prepared_ground
    assert len(prepared_ground.deaths()) > FEW / 2
    assert prepared_ground.faults() == []
    assert unexplained(prepared_ground.playground.violations) == []


async def kill_bots(ground: Ground, most: int, seed: int | None = None) -> None:
    """Let a bot count the lines that a note takes; let others die over notes, and one come back after each."""
    ground.speak(seed)
    counted = ground.countdown()
    async with living(run_bot, ground.settings, counted):
        await ground.acknowledged()
    for line in points(counted.report.read_text(), most):
        trial = ground.speak(seed)
        trial.died_at = await ended(run_bot, ground.settings, ground.countdown(line))
        async with living(run_bot, ground.settings):
            await ground.acknowledged()
    async with living(run_worker_process, ground.settings):
        await ground.settled()


@few_or(100)
async def test_a_bot_that_is_killed_while_it_takes_a_note_in(ground: Ground, most: int) -> None:
    await kill_bots(ground, most)


@few_or(100)
async def test_a_bot_that_is_killed_while_it_answers_a_note_whose_sound_is_known(ground: Ground, most: int) -> None:
    ground.speak(seed=1)
    async with living(run_bot, ground.settings), living(run_worker_process, ground.settings):
        await ground.acknowledged()
        await ground.settled()
    await kill_bots(ground, most, seed=1)


@few_or(300)
async def test_a_worker_that_is_killed_while_it_does_a_note(ground: Ground, most: int) -> None:
    async with living(run_bot, ground.settings):
        note = await ground.welcomed(ground.speak())
        counted = ground.countdown(note_id=note.id)
        async with living(run_worker_process, ground.settings, counted):
            await ground.settled()
        for line in points(counted.report.read_text(), most):
            trial = ground.speak()
            note = await ground.welcomed(trial)
            trial.died_at = await ended(run_worker_process, ground.settings, ground.countdown(line, note.id))
        async with living(run_worker_process, ground.settings):
            await ground.settled()


@few_or(300)
async def test_a_worker_that_is_killed_while_it_sends_a_long_text(ground: Ground, most: int) -> None:
    async with living(run_bot, ground.settings):
        note = await ground.welcomed(ground.speak())
        lines = await ended(partial(tell, note_id=note.id), ground.settings, ground.countdown())
        for line in points(lines, most):
            trial = ground.speak()
            note = await ground.welcomed(trial)
            trial.died_at = await ended(partial(tell, note_id=note.id), ground.settings, ground.countdown(line))
            await tell(ground.settings, note.id)
    for trial in ground.trials:
        trial.text = LONG
