"""What dies comes back, and every voice note is answered once with its own text."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
import pytest_asyncio
from aiogram.types import Message
from redis.asyncio import Redis

from jobs.redis_server import embedded_url
from storage.database import open_database
from storage.telegram.ledger import TelegramLedger
from tests.end_to_end.installation import Installation, installed, running, write_noise

pytestmark = pytest.mark.asyncio(loop_scope="module")

SLOW_FAKE = {"engine__model": "fake", "engine__fake_rtf": "0.5"}


class Sent(NamedTuple):
    """A voice note, and the text that it has to be answered with."""

    note: Message
    text: str


def speak(place: Installation, seed: int, seconds: float) -> Sent:
    """Let the admin send a recording that sounds like no other."""
    file = place.folder / f"{seed}.wav"
    text = write_noise(file, seed, seconds)
    return Sent(place.speak(file, duration=round(seconds)), text)


async def is_answered(place: Installation, *sent: Sent) -> bool:
    """Wait for the answers, and tell whether each note has its own, and no other reply."""
    for each in sent:
        await place.text_of(each.note)
    return [place.replies_to(each.note) for each in sent] == [[each.text] for each in sent]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """Earshot with a model that takes half as long as the recording, not running yet."""
    async with installed(tmp_path_factory.mktemp("place"), **SLOW_FAKE) as prepared:
        yield prepared


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def interrupted(place: Installation) -> Sent:
    """Give a note in the midst of which Earshot was stopped."""
    place.settings["EARSHOT_WORKERS__GRACE_S"] = "0"
    async with running(place):
        sent = speak(place, seed=1, seconds=16)
        await place.status_of(sent.note, "Transcribing")
    del place.settings["EARSHOT_WORKERS__GRACE_S"]
    assert not place.replies_to(sent.note)[0].startswith("fake")
    return sent


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def early(place: Installation, interrupted: Sent) -> Sent:  # noqa: ARG001 - it comes after that stop
    """Give a note that came while nothing ran."""
    return speak(place, seed=2, seconds=2)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def at_work(place: Installation, early: Sent) -> AsyncIterator[Installation]:  # noqa: ARG001 - it was before
    """Earshot at work after that, for all tests: a start takes longer than anything else here."""
    async with running(place):
        yield place


async def test_a_note_that_a_stop_interrupts_is_answered_after_the_next_start(
    at_work: Installation, interrupted: Sent
) -> None:
    assert await is_answered(at_work, interrupted)


async def test_notes_that_came_while_nothing_ran_are_answered_at_the_start(at_work: Installation, early: Sent) -> None:
    assert await is_answered(at_work, early)


async def test_the_queue_and_the_history_can_be_asked_while_it_runs(at_work: Installation, early: Sent) -> None:
    assert await is_answered(at_work, early)
    queue, history = await at_work.ask("queue", "--json"), await at_work.ask("history", "--json")
    assert '"workers": 1' in queue
    assert early.text in history


async def test_a_worker_that_is_killed_is_replaced_and_its_note_answered(at_work: Installation) -> None:
    sent = speak(at_work, seed=3, seconds=8)
    await at_work.status_of(sent.note, "Transcribing")
    [worker] = at_work.children(" bot worker ")
    os.kill(worker, signal.SIGKILL)
    assert await is_answered(at_work, sent)
    assert at_work.children(" bot worker ") != [worker]


async def test_bot_and_worker_run_apart_on_one_redis(at_work: Installation) -> None:
    at_work.settings["EARSHOT_REDIS__URL"] = embedded_url(at_work.folder)
    other = await at_work.start("worker")
    await _is_ready(at_work.folder / "worker.log")
    sent = [speak(at_work, seed, seconds=4) for seed in (4, 5)]
    assert await is_answered(at_work, *sent)
    other.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(other.wait(), 30) == 0


async def test_notes_outlive_a_wiped_redis_and_a_killed_bot(at_work: Installation) -> None:
    sent = [speak(at_work, seed, seconds=3) for seed in range(6, 10)]
    await _written_down(at_work, [each.note for each in sent])
    [bot] = at_work.children(" bot bot ")
    os.kill(bot, signal.SIGKILL)
    async with Redis.from_url(embedded_url(at_work.folder)) as redis:
        await redis.flushall()
    assert await is_answered(at_work, *sent)


async def test_updates_by_webhook_are_answered(tmp_path: Path, unused_tcp_port: int) -> None:
    webhook = {
        "telegram__mode": "webhook",
        "telegram__webhook_url": f"http://127.0.0.1:{unused_tcp_port}/hook",
        "telegram__webhook_listen": f"127.0.0.1:{unused_tcp_port}",
        "telegram__webhook_secret": "a-secret-of-the-test",
    }
    async with installed(tmp_path, **SLOW_FAKE, **webhook) as place:
        process = await place.start()
        sent = speak(place, seed=10, seconds=2)
        assert await is_answered(place, sent)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 60) == 0


async def _written_down(place: Installation, notes: list[Message]) -> None:
    """Wait until the ledger knows every note and its status reply."""
    database = await open_database("", place.folder)
    ledger, bot_id = TelegramLedger(database), place.playground.state.bot.id
    async with asyncio.timeout(30):
        for message in notes:
            note = None
            while note is None or note.status_message_id is None:
                note = await ledger.by_message(bot_id, message.chat.id, message.message_id)
    await database.close()


async def _is_ready(log: Path) -> None:
    async with asyncio.timeout(60):
        while "worker_ready" not in await asyncio.to_thread(log.read_text):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.05)
