"""Whichever line the bot or a worker is killed at, each note is answered once with its own text."""

from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from bot.process.bot import run_bot
from bot.process.worker import run_worker_process
from tests.chaos.forked import Role, ended, living
from tests.chaos.long_delivery import LONG, deliver_long_text
from tests.chaos.testbed import Testbed, prepared
from tests.chaos.verdict import unexplained

FEW = 2
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
async def testbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Testbed]:
    monkeypatch.setenv("EARSHOT_CONFIG", str(tmp_path / "none.toml"))
    async with prepared(tmp_path) as prepared_testbed:
        yield prepared_testbed


def assert_kept(testbed: Testbed) -> None:
    assert len(testbed.deaths()) >= FEW / 2
    assert testbed.faults() == []
    assert unexplained(testbed.playground.violations) == []


async def kill_bots(testbed: Testbed, most: int, seed: int | None = None) -> None:
    """Let a bot count the lines that a note takes; let others die over notes, and one come back after each."""
    testbed.speak(seed)
    counted = testbed.countdown()
    async with living(run_bot, testbed.settings, counted):
        await testbed.acknowledged()
    for line in points(counted.report.read_text(), most):
        trial = testbed.speak(seed)
        trial.died_at = await ended(run_bot, testbed.settings, testbed.countdown(line))
        async with living(run_bot, testbed.settings):
            await testbed.acknowledged()
    async with living(run_worker_process, testbed.settings):
        await testbed.settled()


@few_or(60)
async def test_a_bot_that_is_killed_while_it_takes_a_note_in(testbed: Testbed, most: int) -> None:
    await kill_bots(testbed, most)
    assert_kept(testbed)


@few_or(60)
async def test_a_bot_that_is_killed_while_it_answers_a_note_whose_sound_is_known(testbed: Testbed, most: int) -> None:
    testbed.speak(seed=1)
    async with living(run_bot, testbed.settings), living(run_worker_process, testbed.settings):
        await testbed.acknowledged()
        await testbed.settled()
    await kill_bots(testbed, most, seed=1)
    assert_kept(testbed)


@few_or(72)
async def test_a_worker_that_is_killed_while_it_does_a_note(testbed: Testbed, most: int) -> None:
    async with living(run_bot, testbed.settings):
        note = await testbed.welcomed(testbed.speak())
        counted = testbed.countdown(note_id=note.id)
        async with living(run_worker_process, testbed.lasting(), counted):
            await testbed.settled()
        lines = points(counted.report.read_text(), most)
        for begin in range(0, len(lines), ROUND):
            await kill_workers(testbed, lines[begin : begin + ROUND])
    assert_kept(testbed)


async def kill_workers(testbed: Testbed, lines: Sequence[int]) -> None:
    """Let a worker die over a note at each of the lines, then another do all of these notes."""
    for line in lines:
        trial = testbed.speak()
        note = await testbed.welcomed(trial)
        trial.died_at = await ended(run_worker_process, testbed.lasting(), testbed.countdown(line, note.id))
    async with living(run_worker_process, testbed.settings):
        await testbed.settled()


@few_or(100)
async def test_a_worker_that_is_killed_while_it_sends_a_long_text(testbed: Testbed, most: int) -> None:
    async with living(run_bot, testbed.settings):
        lines = await ended(await undelivered(testbed), testbed.settings, testbed.countdown())
        for line in points(lines, most):
            tells = await undelivered(testbed)
            testbed.trials[-1].died_at = await ended(tells, testbed.settings, testbed.countdown(line))
            await tells(testbed.settings)
    assert_kept(testbed)


async def undelivered(testbed: Testbed) -> Role:
    """Let a note come in whose sender deletes the status reply: all parts of its text have to be sent."""
    trial = testbed.speak()
    note = await testbed.welcomed(trial)
    testbed.delete_replies(trial)
    trial.text = LONG
    return partial(deliver_long_text, note_id=note.id)
