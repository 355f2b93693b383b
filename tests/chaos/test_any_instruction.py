"""Whichever line the bot or a worker is killed at, each note is answered once with its own text."""

from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from bot.process.bot import run_bot
from bot.process.worker import run_worker_process
from tests.chaos.forked import Role, ended, living
from tests.chaos.ground import Ground, prepared
from tests.chaos.telling import LONG, tell
from tests.chaos.verdict import unexplained

FEW = 4
ROUND = 6  # the deaths of one are over before the first note is taken over


def points(lines: str, most: int) -> list[int]:
    """Spread so many numbers, or as many as there are, evenly over all lines."""
    count = int(lines)
    return [int((place + 0.5) * count / most) for place in range(most)] if most < count else list(range(count))


def few_or(many: int) -> pytest.MarkDecorator:
    quick = pytest.param(FEW, marks=pytest.mark.timeout(400))
    slow = pytest.param(many, marks=[pytest.mark.slow, pytest.mark.timeout(1200)])
    return pytest.mark.parametrize("most", [quick, slow])


@pytest.fixture
async def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Ground]:
    monkeypatch.setenv("EARSHOT_CONFIG", str(tmp_path / "none.toml"))
    async with prepared(tmp_path) as prepared_ground:
        yield prepared_ground


def assert_kept(ground: Ground) -> None:
    assert len(ground.deaths()) > FEW / 2
    assert ground.faults() == []
    assert unexplained(ground.playground.violations) == []


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


@few_or(60)
async def test_a_bot_that_is_killed_while_it_takes_a_note_in(ground: Ground, most: int) -> None:
    await kill_bots(ground, most)
    assert_kept(ground)


@few_or(60)
async def test_a_bot_that_is_killed_while_it_answers_a_note_whose_sound_is_known(ground: Ground, most: int) -> None:
    ground.speak(seed=1)
    async with living(run_bot, ground.settings), living(run_worker_process, ground.settings):
        await ground.acknowledged()
        await ground.settled()
    await kill_bots(ground, most, seed=1)
    assert_kept(ground)


@few_or(72)
async def test_a_worker_that_is_killed_while_it_does_a_note(ground: Ground, most: int) -> None:
    async with living(run_bot, ground.settings):
        note = await ground.welcomed(ground.speak())
        counted = ground.countdown(note_id=note.id)
        async with living(run_worker_process, ground.lasting(), counted):
            await ground.settled()
        lines = points(counted.report.read_text(), most)
        for begin in range(0, len(lines), ROUND):
            await kill_workers(ground, lines[begin : begin + ROUND])
    assert_kept(ground)


async def kill_workers(ground: Ground, lines: Sequence[int]) -> None:
    """Let a worker die over a note at each of the lines, then another do all of these notes."""
    for line in lines:
        trial = ground.speak()
        note = await ground.welcomed(trial)
        trial.died_at = await ended(run_worker_process, ground.lasting(), ground.countdown(line, note.id))
    async with living(run_worker_process, ground.settings):
        await ground.settled()


@few_or(100)
async def test_a_worker_that_is_killed_while_it_sends_a_long_text(ground: Ground, most: int) -> None:
    async with living(run_bot, ground.settings):
        lines = await ended(await telling(ground), ground.settings, ground.countdown())
        for line in points(lines, most):
            tells = await telling(ground)
            ground.trials[-1].died_at = await ended(tells, ground.settings, ground.countdown(line))
            await tells(ground.settings)
    assert_kept(ground)


async def telling(ground: Ground) -> Role:
    """Let a note come in whose sender deletes the status reply: all parts of its text have to be sent."""
    trial = ground.speak()
    note = await ground.welcomed(trial)
    ground.delete_replies(trial)
    trial.text = LONG
    return partial(tell, note_id=note.id)
