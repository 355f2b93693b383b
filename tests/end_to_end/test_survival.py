"""What dies comes back, and every voice note is answered once with its own text."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiogram.types import Message
from redis.asyncio import Redis

from jobs.redis_server import embedded_url
from storage.database import open_database
from storage.ledger import Ledger
from tests.end_to_end.installation import Installation, installed, running, write_noise

pytestmark = pytest.mark.asyncio(loop_scope="module")

SLOW_FAKE = {"engine__model": "fake", "engine__fake_rtf": "0.5"}


@pytest_asyncio.fixture(loop_scope="module")
async def place(tmp_path: Path) -> AsyncIterator[Installation]:
    """Earshot with a model that takes half as long as the recording, not running yet."""
    async with installed(tmp_path, **SLOW_FAKE) as prepared:
        yield prepared


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def at_work(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """The same, running: one for all tests that leave a whole installation behind."""
    async with installed(tmp_path_factory.mktemp("at_work"), **SLOW_FAKE) as prepared, running(prepared) as started:
        yield started


async def test_the_queue_and_the_history_can_be_asked_while_it_runs(at_work: Installation) -> None:
    answer = write_noise(at_work.folder / "told.wav", 10, 1.0)
    note = at_work.speak(at_work.folder / "told.wav")
    await at_work.text_of(note)
    queue, history = await at_work.ask("queue", "--json"), await at_work.ask("history", "--json")
    assert '"workers": 1' in queue
    assert answer in history


async def test_bot_and_worker_run_apart_on_one_redis(at_work: Installation) -> None:
    url = embedded_url(at_work.folder)
    at_work.settings["EARSHOT_REDIS__URL"] = url
    other = await at_work.start("worker")
    answers = [write_noise(at_work.folder / f"{seed}.wav", seed, 4.0) for seed in (7, 8)]
    await _workers(at_work, 2)
    notes = [at_work.speak(at_work.folder / f"{seed}.wav", duration=4) for seed in (7, 8)]
    assert [await at_work.text_of(note) for note in notes] == answers
    other.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(other.wait(), 30) == 0


async def test_a_worker_that_is_killed_is_replaced_and_its_note_answered(place: Installation) -> None:
    answer = write_noise(place.folder / "long.wav", 1, 8.0)
    async with running(place):
        note = place.speak(place.folder / "long.wav", duration=8)
        await place.status_of(note, "Transcribing")
        [worker] = place.children(" bot worker ")
        os.kill(worker, signal.SIGKILL)
        assert await place.text_of(note) == answer
        assert place.replies_to(note) == [answer]
        assert place.children(" bot worker ") != [worker]


async def test_notes_outlive_a_wiped_redis_and_a_killed_bot(at_work: Installation) -> None:
    files = [at_work.folder / f"{seed}.wav" for seed in range(4)]
    answers = [write_noise(file, seed, 3.0) for seed, file in enumerate(files)]
    notes = [at_work.speak(file) for file in files]
    await _written_down(at_work, notes)
    [bot] = at_work.children(" bot bot ")
    os.kill(bot, signal.SIGKILL)
    async with Redis.from_url(embedded_url(at_work.folder)) as redis:
        await redis.flushall()
    assert [await at_work.text_of(note) for note in notes] == answers
    assert [at_work.replies_to(note) for note in notes] == [[answer] for answer in answers]


async def test_notes_that_came_while_nothing_ran_are_answered_at_the_start(place: Installation) -> None:
    answer = write_noise(place.folder / "early.wav", 5, 2.0)
    note = place.speak(place.folder / "early.wav")
    async with running(place):
        assert await place.text_of(note) == answer


async def test_a_note_that_a_stop_interrupts_is_answered_after_the_next_start(place: Installation) -> None:
    place.settings["EARSHOT_WORKERS__GRACE_S"] = "0"
    answer = write_noise(place.folder / "cut.wav", 6, 30.0)
    async with running(place):
        note = place.speak(place.folder / "cut.wav", duration=30)
        await place.status_of(note, "Transcribing")
    assert not place.replies_to(note)[0].startswith("fake")
    place.settings["EARSHOT_ENGINE__FAKE_RTF"] = "0"
    async with running(place):
        assert await place.text_of(note) == answer
        assert place.replies_to(note) == [answer]


async def test_updates_by_webhook_are_answered(place: Installation, unused_tcp_port: int) -> None:
    place.settings |= {
        "EARSHOT_TELEGRAM__MODE": "webhook",
        "EARSHOT_TELEGRAM__WEBHOOK_URL": f"http://127.0.0.1:{unused_tcp_port}/hook",
        "EARSHOT_TELEGRAM__WEBHOOK_LISTEN": f"127.0.0.1:{unused_tcp_port}",
        "EARSHOT_TELEGRAM__WEBHOOK_SECRET": "a-secret-of-the-test",
    }
    answer = write_noise(place.folder / "hooked.wav", 9, 2.0)
    process = await place.start()
    note = place.speak(place.folder / "hooked.wav")
    assert await place.text_of(note, 90) == answer
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 60) == 0


async def _written_down(place: Installation, notes: list[Message]) -> None:
    """Wait until the ledger knows every note and its status reply."""
    database = await open_database("", place.folder)
    ledger, bot_id = Ledger(database), place.playground.state.bot.id
    async with asyncio.timeout(30):
        for message in notes:
            note = None
            while note is None or note.status_message_id is None:
                note = await ledger.by_message(bot_id, message.chat.id, message.message_id)
    await database.close()


async def _workers(place: Installation, count: int) -> None:
    async with asyncio.timeout(60):
        present = ""
        while f'"workers": {count}' not in present:
            present = await place.ask("queue", "--json")
