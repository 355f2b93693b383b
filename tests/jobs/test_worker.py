"""Real worker processes on a real Redis."""

import asyncio
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.leased_worker import OUTAGE_PAUSE_S
from jobs.leases import RENEW_S
from jobs.queue import Queue
from jobs.redis_server import RedisServer
from storage.note import State
from storage.states import HOLD_S
from storage.telegram.ledger import TelegramLedger
from tests.jobs.conftest import Arrivals, Workers, position, until, waiting
from tests.jobs.doors import FileDoor
from tests.storage.samples import BOT, incoming, record, unfinished


@pytest.fixture
def texts(door: FileDoor) -> "Texts":
    return Texts(door)


class Texts:
    """What the chat was told."""

    def __init__(self, door: FileDoor) -> None:
        self._door = door

    def __call__(self) -> dict[str, list[object]]:
        said: dict[str, list[object]] = {}
        for event in self._door.events("done"):
            said.setdefault(str(event["note"]), []).append(event["text"])
        return said


async def all_told(ledger: TelegramLedger) -> bool:
    return await unfinished(ledger) == []


async def nothing_is_queued(queue: Queue) -> bool:
    return await waiting(queue) == []


async def test_notes_are_answered_each_with_its_own_text_once(
    workers: Workers, queue: Queue, ledger: TelegramLedger, arrivals: Arrivals, texts: Texts
) -> None:
    notes = [await arrivals.note() for _ in range(10)]
    await workers.start()
    for note in notes:
        assert await queue.enqueue(note)
        assert await queue.enqueue(note)
    await until(lambda: all_told(ledger))
    assert texts() == {note_id: [text] for note_id, text in arrivals.texts.items()}
    await until(lambda: nothing_is_queued(queue))


async def test_a_worker_leaves_the_notes_of_another_bot_to_the_workers_of_that_bot(  # noqa: PLR0913, PLR0917 - fixtures
    workers: Workers, queue: Queue, ledger: TelegramLedger, arrivals: Arrivals, door: FileDoor, tmp_path: Path
) -> None:
    own = await arrivals.note()
    sent = incoming(file_id=str(tmp_path / "sound-0.wav"))
    foreign, _ = await record(ledger, replace(sent, bot_id=BOT + 1))
    await (await workers.start()).until_ready()
    assert workers.logs().count("notes_of_another_door") == 1
    for note in (foreign, own):
        await queue.enqueue(note)
    await until(lambda: "left_to_its_door" in workers.logs() and bool(door.events("done")))
    assert await ledger.telegram_note(foreign.id) == foreign
    await workers.start(bot_id=BOT + 1)
    await until(lambda: all_told(ledger))
    assert {(event["note"], event["bot"]) for event in door.events()} == {(own.id, BOT), (foreign.id, BOT + 1)}


async def test_the_jobs_of_a_killed_and_of_a_frozen_worker_are_taken_over_within_15_s(  # noqa: PLR0913, PLR0917 - fixtures
    workers: Workers, queue: Queue, ledger: TelegramLedger, arrivals: Arrivals, door: FileDoor, texts: Texts
) -> None:
    notes = [await arrivals.note() for _ in range(2)]
    doomed = [await workers.start(fake_rtf=6) for _ in notes]
    for note in notes:
        await queue.enqueue(note)
    await until(lambda: len(door.events("progress")) == 2)
    await (await workers.start(fake_rtf=2)).until_ready()
    doomed[0].send(signal.SIGKILL)
    doomed[1].send(signal.SIGSTOP)
    dead_since = time.time()
    await until(lambda: len(door.events("fetch")) == 4)
    assert float(door.events("fetch")[2]["at"]) < dead_since + 15
    doomed[1].send(signal.SIGCONT)
    await until(lambda: all_told(ledger))
    await until(lambda: "note_lost" in workers.logs())  # by the frozen one, which might still want to say something
    assert texts() == {note_id: [text] for note_id, text in arrivals.texts.items()}
    assert {event["fence"] for event in door.events("done")} == {2}
    await until(lambda: nothing_is_queued(queue))
    assert doomed[1].exit_code is None


async def test_sigterm_lets_the_note_at_hand_be_finished(
    workers: Workers, queue: Queue, ledger: TelegramLedger, arrivals: Arrivals, door: FileDoor
) -> None:
    worker = await workers.start(fake_rtf=2, grace_s=20)
    note, waiting = await arrivals.note(), await arrivals.note()
    for each in (note, waiting):
        await queue.enqueue(each)
    await until(lambda: bool(door.events("fetch")))
    worker.send(signal.SIGTERM)
    assert await worker.wait() == 0
    states = [found.state for each in (note, waiting) if (found := await ledger.get(each.id))]
    assert states == [State.DONE, State.QUEUED]
    assert await queue.workers() == []


async def test_sigterm_hands_back_what_takes_longer_than_the_grace(
    workers: Workers, queue: Queue, ledger: TelegramLedger, arrivals: Arrivals, door: FileDoor
) -> None:
    worker = await workers.start(fake_rtf=60, grace_s=0)
    note = await arrivals.note()
    await queue.enqueue(note)
    await until(lambda: bool(door.events("progress")))
    worker.send(signal.SIGTERM)
    assert await worker.wait() == 0
    found = await ledger.get(note.id)
    assert found is not None
    assert (found.state, found.tries) == (State.QUEUED, 0)
    assert await position(queue, note) == 1
    assert await ledger.claim(note.id, "another") is not None


async def test_cancelling_stops_a_running_note_and_frees_its_place(
    workers: Workers, queue: Queue, ledger: TelegramLedger, arrivals: Arrivals, door: FileDoor
) -> None:
    await workers.start(fake_rtf=60)
    note, following = await arrivals.note(), await arrivals.note(seconds=0.2)
    await queue.enqueue(note)
    await until(lambda: bool(door.events("progress")))
    await queue.enqueue(following)
    assert await ledger.cancel(note.id)
    await ledger.mark_delivered(note.id)
    await queue.remove(note.id)
    await until(lambda: bool(door.events("fetch", following.id)))
    assert door.events("done", note.id) == []


async def test_a_redis_that_goes_away_and_comes_back_empty_loses_nothing(  # noqa: PLR0913, PLR0917 - fixtures
    workers: Workers,
    queue: Queue,
    server: RedisServer,
    ledger: TelegramLedger,
    arrivals: Arrivals,
    door: FileDoor,
    texts: Texts,
) -> None:
    worker = await workers.start(fake_rtf=2)
    running, waiting, later = [await arrivals.note(seconds=seconds) for seconds in (1.0, 0.2, 0.3)]
    for note in (running, waiting):
        await queue.enqueue(note)
    await until(lambda: bool(door.events("progress")))
    await server.stop()
    shutil.rmtree(workers.data_dir / "redis")
    assert not await queue.enqueue(later)
    await until(lambda: bool(door.events("done", running.id)))
    await server.start()
    await until(lambda: all_told(ledger), timeout_s=40)
    assert worker.exit_code is None
    assert texts() == {note_id: [text] for note_id, text in arrivals.texts.items()}
    assert all(note.tries == 1 for note in await ledger.recent())


async def test_a_worker_waits_for_a_redis_that_comes_later(
    workers: Workers, queue: Queue, server: RedisServer, ledger: TelegramLedger, arrivals: Arrivals
) -> None:
    await server.stop()
    worker = await workers.start()

    def told() -> int:
        return len([line for line in workers.logs().splitlines() if "trouble" in line and "queue" in line])

    await until(lambda: told() == 1)
    await asyncio.sleep(2 * OUTAGE_PAUSE_S)  # for what must not be told again
    await server.start()
    await queue.enqueue(await arrivals.note())
    await until(lambda: all_told(ledger))
    assert worker.exit_code is None
    assert told() == 2, "that it began and that it is over"


async def test_a_worker_that_grew_too_large_ends_between_two_notes(
    workers: Workers, queue: Queue, ledger: TelegramLedger, arrivals: Arrivals, texts: Texts
) -> None:
    for _ in range(8):
        await queue.enqueue(await arrivals.note())
    worker = await workers.start(max_memory_mb=500)
    assert await worker.wait() == 0
    assert "worker_outgrown" in workers.logs()
    told = texts()
    assert 0 < len(told) < 8
    assert await ledger.orphaned(0) == [note_id for note_id in arrivals.texts if note_id not in told]
    await workers.start()
    await until(lambda: all_told(ledger))
    assert texts() == {note_id: [text] for note_id, text in arrivals.texts.items()}


async def test_a_memory_limit_that_no_worker_can_keep_is_told_at_the_start(workers: Workers) -> None:
    worker = await workers.start(max_memory_mb=10)
    assert await worker.wait() == 1
    assert "MemoryLimitTooSmall" in workers.logs()


async def test_a_worker_told_to_stop_hands_its_note_over_at_once(
    workers: Workers, queue: Queue, arrivals: Arrivals, door: FileDoor
) -> None:
    first = await workers.start(fake_rtf=30, grace_s=0)
    await queue.enqueue(await arrivals.note())
    await until(lambda: len(door.events("progress")) > 0)
    await (await workers.start()).until_ready()
    first.send(signal.SIGTERM)
    told_to_stop = time.time()
    await until(lambda: len(door.events("fetch")) == 2)
    assert float(door.events("fetch")[1]["at"]) < told_to_stop + HOLD_S - RENEW_S, "no lease had to run out for it"
    assert await first.wait() == 0
