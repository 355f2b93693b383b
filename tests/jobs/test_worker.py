"""Real worker processes on a real Redis."""

import asyncio
import os
import signal

import pytest

from jobs.queue import Queue
from jobs.redis import QUEUE
from jobs.redis_server import RedisServer
from jobs.statistics import queue_report
from storage.ledger import Ledger
from storage.note import State
from tests.jobs.conftest import Arrivals, Workers, until
from tests.jobs.doors import FileDoor


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


async def all_told(ledger: Ledger) -> bool:
    return await ledger.unfinished() == []


async def test_notes_are_answered_each_with_its_own_text_once(
    workers: Workers, queue: Queue, ledger: Ledger, arrivals: Arrivals, texts: Texts
) -> None:
    notes = [await arrivals.note() for _ in range(10)]
    await workers.start()
    for note in notes:
        assert await queue.enqueue(note)
        assert await queue.enqueue(note)
    await until(lambda: all_told(ledger))
    assert texts() == {note_id: [text] for note_id, text in arrivals.texts.items()}
    assert await queue.unknown([note.id for note in notes]) == [note.id for note in notes]


async def test_the_job_of_a_killed_worker_is_taken_over_within_15_s(
    workers: Workers, queue: Queue, ledger: Ledger, arrivals: Arrivals, door: FileDoor, texts: Texts
) -> None:
    first = await workers.start(fake_rtf=5)
    note = await arrivals.note()
    await queue.enqueue(note)
    await until(lambda: bool(door.events("fetch")))
    await workers.start(fake_rtf=0)
    await until(lambda: bool(door.events("progress")))
    first.kill()
    took_s = await until(lambda: len(door.events("fetch")) == 2)
    assert took_s < 15
    await until(lambda: all_told(ledger))
    assert texts() == {note.id: [arrivals.texts[note.id]]}


async def test_a_frozen_worker_that_wakes_up_tells_nothing_and_spoils_nothing(
    workers: Workers, queue: Queue, ledger: Ledger, arrivals: Arrivals, door: FileDoor, texts: Texts
) -> None:
    first = await workers.start(fake_rtf=3)
    note = await arrivals.note()
    await queue.enqueue(note)
    await until(lambda: bool(door.events("progress")))
    first.send_signal(signal.SIGSTOP)
    await workers.start(fake_rtf=6)
    await until(lambda: len(door.events("fetch")) == 2)
    first.send_signal(signal.SIGCONT)
    await asyncio.sleep(3)
    assert await queue.unknown([note.id]) == []
    assert await queue.position(note.id) == 0
    await until(lambda: all_told(ledger))
    assert texts() == {note.id: [arrivals.texts[note.id]]}
    assert {event["fence"] for event in door.events("done")} == {2}


async def test_sigterm_lets_the_note_at_hand_be_finished(
    workers: Workers, queue: Queue, ledger: Ledger, arrivals: Arrivals, door: FileDoor
) -> None:
    worker = await workers.start(fake_rtf=2, grace_s=20)
    note, waiting = await arrivals.note(), await arrivals.note()
    for each in (note, waiting):
        await queue.enqueue(each)
    await until(lambda: bool(door.events("fetch")))
    worker.terminate()
    assert await worker.wait() == 0
    states = [found.state for each in (note, waiting) if (found := await ledger.get(each.id))]
    assert states == [State.DONE, State.QUEUED]
    assert (await queue.snapshot()).workers == ()


async def test_sigterm_hands_back_what_takes_longer_than_the_grace(
    workers: Workers, queue: Queue, ledger: Ledger, arrivals: Arrivals, door: FileDoor
) -> None:
    worker = await workers.start(fake_rtf=60, grace_s=0)
    note = await arrivals.note()
    await queue.enqueue(note)
    await until(lambda: bool(door.events("progress")))
    worker.terminate()
    assert await worker.wait() == 0
    found = await ledger.get(note.id)
    assert found is not None
    assert (found.state, found.tries) == (State.QUEUED, 0)
    assert await queue.position(note.id) == 1
    assert await ledger.claim(note.id, "another") is not None


async def test_cancelling_stops_a_running_note_within_a_second(
    workers: Workers, queue: Queue, ledger: Ledger, arrivals: Arrivals, door: FileDoor
) -> None:
    await workers.start(fake_rtf=60)
    note, following = await arrivals.note(), await arrivals.note(seconds=0.2)
    await queue.enqueue(note)
    await until(lambda: bool(door.events("progress")))
    await queue.enqueue(following)
    assert await ledger.cancel(note.id)
    await ledger.mark_delivered(note.id)
    await queue.forget(note.id)
    assert await until(lambda: bool(door.events("fetch", following.id))) < 3
    assert door.events("done", note.id) == []


async def test_a_worker_shows_itself_and_what_it_does(
    workers: Workers, queue: Queue, ledger: Ledger, arrivals: Arrivals, door: FileDoor
) -> None:
    await workers.start(fake_rtf=60)
    await workers.start(fake_rtf=60)
    note = await arrivals.note()
    await queue.enqueue(note)
    await until(lambda: bool(door.events("progress")))

    async def both_are_there() -> bool:
        return len(await queue.workers()) == 2

    await until(both_are_there)
    report = await queue_report(ledger, queue)
    assert (report["workers"], report["workers_busy"], report["processing"], report["queued"]) == (2, 1, 1, 0)
    assert [worker.busy for worker in await queue.workers() if worker.busy] == [note.id]


async def test_a_free_worker_is_not_starved_by_hundreds_of_jobs_that_run_elsewhere(
    workers: Workers, queue: Queue, server: RedisServer, ledger: Ledger, arrivals: Arrivals
) -> None:
    del server
    redis = queue._redis  # noqa: SLF001 - plays the part of 250 other workers
    for number in range(250):
        await redis.zadd(QUEUE, {f"elsewhere-{number}": number + 1})
        await redis.set(f"arq:in-progress:elsewhere-{number}", "others", ex=60)
    await workers.start()
    note = await arrivals.note()
    await queue.enqueue(note)
    await until(lambda: all_told(ledger), timeout_s=10)
    assert await redis.zcard(QUEUE) == 250


async def test_a_wiped_redis_loses_nothing(
    workers: Workers, queue: Queue, ledger: Ledger, arrivals: Arrivals, door: FileDoor, texts: Texts
) -> None:
    await workers.start(fake_rtf=2)
    notes = [await arrivals.note() for _ in range(3)]
    for note in notes:
        await queue.enqueue(note)
    await until(lambda: bool(door.events("progress")))
    await queue._redis.flushall()  # noqa: SLF001 - what an owner could do by hand
    await until(lambda: all_told(ledger), timeout_s=40)
    assert texts() == {note_id: [text] for note_id, text in arrivals.texts.items()}
    assert all(note.tries == 1 for note in await ledger.recent())


async def test_a_worker_outlives_an_outage_of_redis(
    workers: Workers, queue: Queue, server: RedisServer, ledger: Ledger, arrivals: Arrivals, door: FileDoor, texts: Texts
) -> None:
    worker = await workers.start(fake_rtf=3)
    running, later = await arrivals.note(), await arrivals.note(seconds=0.2)
    await queue.enqueue(running)
    await until(lambda: bool(door.events("progress")))
    await server.stop()
    assert not await queue.enqueue(later)
    await until(lambda: bool(door.events("done", running.id)))
    await asyncio.sleep(2)
    await server.start()
    await until(lambda: all_told(ledger), timeout_s=40)
    assert worker.returncode is None
    assert texts() == {note_id: [text] for note_id, text in arrivals.texts.items()}


async def test_a_worker_waits_for_a_redis_that_comes_later(
    workers: Workers, queue: Queue, server: RedisServer, ledger: Ledger, arrivals: Arrivals
) -> None:
    await server.stop()
    worker = await workers.start()
    await asyncio.sleep(2)
    await server.start()
    await queue.enqueue(await arrivals.note())
    await until(lambda: all_told(ledger))
    assert worker.returncode is None


async def test_poison_ends_as_failed_after_three_dead_workers(
    workers: Workers, queue: Queue, ledger: Ledger, arrivals: Arrivals, door: FileDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    del monkeypatch
    note = await arrivals.note()
    for _ in range(3):
        assert await ledger.claim(note.id, "doomed")
        await _forget_holder(ledger, note.id)
    await queue.enqueue(note)
    await workers.start()
    await until(lambda: all_told(ledger))
    assert [event["code"] for event in door.events("failed")] == ["gave_up"]
    assert door.events("fetch") == []
    os.kill(workers.running[0].pid, 0)


async def _forget_holder(ledger: Ledger, note_id: str) -> None:
    """Make the note look as if its worker had died long ago."""
    async with ledger._database.writing() as connection:  # noqa: SLF001 - time cannot be hurried otherwise
        await connection.exec_driver_sql("UPDATE notes SET beat_at = '2020-01-01 00:00:00.000000' WHERE id = ?", (note_id,))
