import asyncio
import json
from pathlib import Path

import pytest

from engine.transcript import Transcript
from jobs import estimate
from jobs.errors import QueueUnreachable
from jobs.estimate import DEFAULT_RTF, LOADING_S, OVERHEAD_S, RecentSpeed, estimate_wait
from jobs.lua_scripts import NEAREST, LuaScripts, QueuedJob
from jobs.queue import Queue, connect
from jobs.queue_report import queue_report
from jobs.redis import PrefixedRedis
from jobs.worker_registry import WorkerRegistration, live_workers
from storage.note import Note
from storage.telegram.ledger import TelegramLedger
from tests.jobs.conftest import Arrivals, position, waiting


@pytest.fixture
async def away(tmp_path: Path) -> Queue:
    return Queue(connect(f"unix://{tmp_path}/nobody.sock"))


async def test_redis_carries_nothing_but_the_id(queue: Queue, redis: PrefixedRedis, arrivals: Arrivals) -> None:
    note = await arrivals.note()
    await queue.enqueue(note)
    job = json.loads(await redis.get(f"arq:job:earshot:note:{note.id}") or "")
    assert (job["a"], job["k"]) == ([note.id], {})


async def test_a_note_keeps_its_place_when_it_is_queued_again(queue: Queue, arrivals: Arrivals) -> None:
    notes = [await arrivals.note(chat_id=chat) for chat in (1, 2)]
    for note in (*notes, notes[0]):
        await queue.enqueue(note)
    assert await waiting(queue) == [note.id for note in notes]


async def test_accounts_take_turns_in_the_queue(queue: Queue, arrivals: Arrivals) -> None:
    names = {}
    for sender, sent in {"A": 4, "B": 3, "C": 1}.items():
        for number in range(sent):
            note = await arrivals.note(chat_id=ord(sender))
            names[note.id] = f"{sender}{number}"
            await queue.enqueue(note)
    assert [names[note_id] for note_id in await waiting(queue)] == ["A0", "B0", "C0", "A1", "B1", "A2", "B2", "A3"]


async def test_new_accounts_are_told_different_places(queue: Queue, ledger: TelegramLedger, arrivals: Arrivals) -> None:
    told = []
    for account in range(1, 5):
        note = await arrivals.note(chat_id=account)
        told.append((await estimate_wait(await ledger.speed(), queue, note)).position)
        await queue.enqueue(note)
        assert await position(queue, note) == told[-1]
    assert told == [1, 2, 3, 4]


async def test_only_notes_that_wait_are_ahead_of_another(queue: Queue, scripts: LuaScripts, arrivals: Arrivals) -> None:
    notes = [await arrivals.note(chat_id=chat) for chat in (1, 2, 3)]
    for note in notes:
        await queue.enqueue(note)
    assert [await ahead(queue, note) for note in notes] == [0, 1, 2]
    run = await scripts.pick("token", 60_000)
    assert run is not None
    assert [await ahead(queue, note) for note in notes] == [None, 0, 1]
    assert await scripts.put_back(run, 60_000)
    assert [await ahead(queue, note) for note in notes] == [0, 1, 2]


async def ahead(queue: Queue, note: Note) -> int | None:
    """Give how many notes run before this one; None if it runs."""
    place = await queue.place(note)
    return None if place is None else place.ahead


async def test_the_audio_ahead_is_that_of_all_that_wait_and_half_of_what_runs_whatever_became_of_them(
    queue: Queue, redis: PrefixedRedis, scripts: LuaScripts, arrivals: Arrivals
) -> None:
    lengths = (10.0, 20.0, 400.0, 500.0)
    notes = [await arrivals.note(chat_id=chat, claimed_s=seconds) for chat, seconds in enumerate(lengths)]
    for note in (*notes, *notes):
        await queue.enqueue(note)
    last = notes[-1]
    assert await audio(queue, last) == (430, 0)
    first = await scripts.pick("token", 60_000)
    assert first is not None
    assert await audio(queue, last) == (420, 10)
    assert await scripts.put_back(first, 0)
    assert await audio(queue, last) == (430, 0)
    first = await scripts.pick("dead", 1)
    assert first is not None
    await asyncio.sleep(0.01)
    second = await scripts.pick("token", 60_000, takes_long=False)
    assert second is not None
    assert second.job_id == first.job_id, "its lease was over"
    assert await scripts.end(second)
    assert await audio(queue, last) == (420, 0)
    await queue.remove(notes[1].id)
    assert await audio(queue, last) == (400, 0)
    await queue.remove(notes[2].id)
    await queue.remove(last.id)
    assert await redis.keys("*") == []


async def test_behind_the_nearest_a_note_counts_as_the_average_of_those_that_are_not_near(
    scripts: LuaScripts,
) -> None:
    lengths = [1000] * NEAREST + [4000, 8000, 9000]
    await scripts.enqueue(
        [QueuedJob(job_id=f"job-{number}", payload=b"", score=number, audio_ms=ms) for number, ms in enumerate(lengths)]
    )
    place = await scripts.place(f"job-{NEAREST + 2}", 0)
    assert place is not None
    assert (place.ahead, place.ahead_s) == (NEAREST + 2, NEAREST + 2 * 7)
    run = await scripts.pick("token", 60_000)
    assert run is not None
    assert await scripts.end(run)
    await scripts.remove("job-1")
    place = await scripts.place(f"job-{NEAREST + 2}", 0)
    assert place is not None
    assert (place.ahead, place.ahead_s) == (NEAREST, NEAREST - 2 + 4 + 8), "all that are left are near"
    place = await scripts.place("later than all", 10**9)
    assert place is not None
    assert (place.ahead, place.ahead_s) == (NEAREST + 1, NEAREST - 2 + 4 + 8 + 9)


async def audio(queue: Queue, note: Note) -> tuple[float, float]:
    """Give the seconds of audio that wait before the note, and those that run."""
    place = await queue.place(note)
    assert place is not None
    return place.ahead_s, place.running_s


async def test_a_forgotten_note_is_gone(queue: Queue, arrivals: Arrivals) -> None:
    note = await arrivals.note()
    await queue.enqueue(note)
    await queue.remove(note.id)
    assert await queue.missing([note.id]) == [note.id]
    assert await waiting(queue) == []


async def test_without_redis_nothing_breaks_and_nothing_is_claimed(
    away: Queue, ledger: TelegramLedger, arrivals: Arrivals
) -> None:
    note = await arrivals.note()
    assert not await away.enqueue(note)
    await away.remove(note.id)
    asking = (away.place(note), away.workers(), away.missing([note.id]), queue_report(ledger, away))
    for asked in (*asking, estimate_wait(await ledger.speed(), away, note)):
        with pytest.raises(QueueUnreachable):
            await asked
    await away.close()


async def test_the_outlook_grows_with_what_is_ahead_and_shrinks_with_workers(
    queue: Queue, redis: PrefixedRedis, ledger: TelegramLedger, arrivals: Arrivals
) -> None:
    notes = [await arrivals.note(chat_id=chat, seconds=2) for chat in (1, 2, 3)]
    for note in notes:
        await queue.enqueue(note)
    one_note_s = 2 * DEFAULT_RTF + OVERHEAD_S
    looks = [await estimate_wait(await ledger.speed(), queue, note) for note in notes]
    assert [look.position for look in looks] == [1, 2, 3]
    assert [look.wait_s for look in looks] == pytest.approx([LOADING_S + turn * one_note_s for turn in (1, 2, 3)])
    for worker in ("a", "b"):
        await WorkerRegistration(redis, worker, "fake", at_once=1).refresh()
    assert (await estimate_wait(await ledger.speed(), queue, notes[2])).wait_s == pytest.approx(2 * one_note_s)
    await WorkerRegistration(redis, "b", "fake", at_once=3).refresh()
    ahead_s = 2 * OVERHEAD_S / 4 + 2 * 2 * DEFAULT_RTF / 2
    assert (await estimate_wait(await ledger.speed(), queue, notes[2])).wait_s == pytest.approx(ahead_s + one_note_s), (
        "two have the cores"
    )


async def test_a_worker_is_as_fast_with_several_notes_as_it_was_with_several(
    queue: Queue, redis: PrefixedRedis, ledger: TelegramLedger, arrivals: Arrivals
) -> None:
    await WorkerRegistration(redis, "a", "fake", at_once=4).refresh()
    ahead, last = await arrivals.note(chat_id=1, seconds=8), await arrivals.note(chat_id=2, seconds=2)
    await queue.enqueue(ahead)

    async def waits_s() -> float:
        return (await estimate_wait(await ledger.speed(), queue, last)).wait_s - 2 * 0.5 - OVERHEAD_S - OVERHEAD_S / 4

    await ended(ledger, arrivals)
    assert await waits_s() == pytest.approx(8 * 0.5), "alone, it had all the cores"
    await ended(ledger, arrivals)
    assert 8 * 0.5 / 2 <= await waits_s() < 8 * 0.5 / 1.9, "two shared them"


async def test_the_speed_of_the_last_notes_is_measured_every_few_seconds(
    ledger: TelegramLedger, arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch
) -> None:
    recent = RecentSpeed(ledger)
    assert (await recent.speed()).rtf is None
    await ended(ledger, arrivals)
    assert (await recent.speed()).rtf is None
    monkeypatch.setattr(estimate, "REMEASURE_S", 0.0)
    assert (await recent.speed()).rtf == 0.5


async def ended(ledger: TelegramLedger, arrivals: Arrivals) -> None:
    """Let a note have been read for half an hour until now, at half a second for a second of sound."""
    note = await arrivals.note()
    taken = await ledger.claim(note.id, "a")
    assert taken is not None
    transcript = Transcript(language="en", duration=3600, segments=(), model="fake")
    assert await ledger.finish(note.id, taken.fence, transcript, engine_s=1800, digest="d")


async def test_a_newcomer_is_told_the_place_that_it_will_have(
    queue: Queue, ledger: TelegramLedger, arrivals: Arrivals
) -> None:
    for _ in range(3):
        await queue.enqueue(await arrivals.note(chat_id=1))
    newcomer = await arrivals.note(chat_id=2)
    foreseen = await estimate_wait(await ledger.speed(), queue, newcomer)
    await queue.enqueue(newcomer)
    assert foreseen.position == await position(queue, newcomer) == 2


async def test_workers_that_fall_silent_disappear(redis: PrefixedRedis) -> None:
    registration = WorkerRegistration(redis, "a", "fake", at_once=2)
    registration.notes.add("note")
    await registration.refresh()
    assert [(worker.id, worker.notes, worker.at_once, worker.model) for worker in await live_workers(redis)] == [
        ("a", ("note",), 2, "fake")
    ]
    assert 0 < await redis.ttl("earshot:worker:a") <= 12
    await redis.delete("earshot:worker:a")
    assert await live_workers(redis) == []
    await registration.refresh()
    await registration.remove()
    assert await live_workers(redis) == []


async def test_nothing_is_kept_of_a_long_note_that_is_forgotten(
    queue: Queue, redis: PrefixedRedis, arrivals: Arrivals
) -> None:
    note = await arrivals.note(claimed_s=3600)
    await queue.enqueue(note)
    await queue.remove(note.id)
    assert await redis.keys("*") == []
