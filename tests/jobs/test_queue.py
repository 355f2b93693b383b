import json
from pathlib import Path

import pytest
from arq import ArqRedis

from engine.transcript import Transcript
from jobs.errors import QueueUnreachable
from jobs.estimate import DEFAULT_RTF, LOADING_S, OVERHEAD_S, estimate_wait
from jobs.lua_scripts import LuaScripts
from jobs.queue import Queue, connect
from jobs.queue_report import queue_report
from jobs.redis import QUEUE
from jobs.worker_registry import WorkerRegistration, live_workers
from storage.ledger import Ledger
from tests.jobs.conftest import Arrivals, position, waiting

NOW_MS = 10**13


@pytest.fixture
def scripts(redis: ArqRedis) -> LuaScripts:
    return LuaScripts(redis)


@pytest.fixture
async def away(tmp_path: Path, ledger: Ledger) -> Queue:
    return Queue(connect(f"unix://{tmp_path}/nobody.sock"), ledger)


async def test_redis_carries_nothing_but_the_id(queue: Queue, redis: ArqRedis, arrivals: Arrivals) -> None:
    note = await arrivals.note()
    await queue.enqueue(note)
    job = json.loads(await redis.get(f"arq:job:{note.id}") or "")
    assert (job["a"], job["k"]) == ([note.id], {})


async def test_a_note_keeps_its_place_when_it_is_queued_again(queue: Queue, arrivals: Arrivals) -> None:
    notes = [await arrivals.note(chat_id=chat) for chat in (1, 2)]
    for note in (*notes, notes[0]):
        await queue.enqueue(note)
    assert await waiting(queue) == [note.id for note in notes]


async def test_only_notes_that_wait_are_ahead_of_another(queue: Queue, scripts: LuaScripts, arrivals: Arrivals) -> None:
    notes = [await arrivals.note(chat_id=chat) for chat in (1, 2, 3)]
    for note in notes:
        await queue.enqueue(note)
    first, second, _ = [note.id for note in notes]
    assert [await queue.ids_ahead(note) for note in notes] == [[], [first], [first, second]]
    run = await scripts.pick(NOW_MS, "token", 60_000)
    assert run is not None
    assert [await queue.ids_ahead(note) for note in notes] == [None, [], [second]]
    assert await scripts.put_back(run, 60_000)
    assert [await queue.ids_ahead(note) for note in notes] == [[], [first], [first, second]]


async def test_a_forgotten_note_is_gone(queue: Queue, arrivals: Arrivals) -> None:
    note = await arrivals.note()
    await queue.enqueue(note)
    await queue.remove(note.id)
    assert await queue.missing([note.id]) == [note.id]
    assert await waiting(queue) == []


async def test_without_redis_nothing_breaks_and_nothing_is_claimed(
    away: Queue, ledger: Ledger, arrivals: Arrivals
) -> None:
    note = await arrivals.note()
    assert not await away.enqueue(note)
    await away.remove(note.id)
    asking = (away.ids_ahead(note), away.workers(), away.missing([note.id]), queue_report(ledger, away))
    for asked in (*asking, estimate_wait(ledger, away, note)):
        with pytest.raises(QueueUnreachable):
            await asked
    await away.close()


async def test_the_outlook_grows_with_what_is_ahead_and_shrinks_with_workers(
    queue: Queue, redis: ArqRedis, ledger: Ledger, arrivals: Arrivals
) -> None:
    notes = [await arrivals.note(chat_id=chat, seconds=2) for chat in (1, 2, 3)]
    for note in notes:
        await queue.enqueue(note)
    one_note_s = 2 * DEFAULT_RTF + OVERHEAD_S
    looks = [await estimate_wait(ledger, queue, note) for note in notes]
    assert [look.position for look in looks] == [1, 2, 3]
    assert [look.wait_s for look in looks] == pytest.approx([LOADING_S + turn * one_note_s for turn in (1, 2, 3)])
    for worker in ("a", "b"):
        await WorkerRegistration(redis, worker, "fake", at_once=1).refresh()
    assert (await estimate_wait(ledger, queue, notes[2])).wait_s == pytest.approx(2 * one_note_s)
    await WorkerRegistration(redis, "b", "fake", at_once=3).refresh()
    ahead_s = 2 * OVERHEAD_S / 4 + 2 * 2 * DEFAULT_RTF / 2
    assert (await estimate_wait(ledger, queue, notes[2])).wait_s == pytest.approx(ahead_s + one_note_s), (
        "two have the cores"
    )


async def test_a_worker_is_as_fast_with_several_notes_as_it_was_with_several(
    queue: Queue, redis: ArqRedis, ledger: Ledger, arrivals: Arrivals
) -> None:
    await WorkerRegistration(redis, "a", "fake", at_once=4).refresh()
    ahead, last = await arrivals.note(chat_id=1, seconds=8), await arrivals.note(chat_id=2, seconds=2)
    await queue.enqueue(ahead)

    async def waits_s() -> float:
        return (await estimate_wait(ledger, queue, last)).wait_s - 2 * 0.5 - OVERHEAD_S - OVERHEAD_S / 4

    await ended(ledger, arrivals)
    assert await waits_s() == pytest.approx(8 * 0.5), "alone, it had all the cores"
    await ended(ledger, arrivals)
    assert 8 * 0.5 / 2 <= await waits_s() < 8 * 0.5 / 1.9, "two shared them"


async def ended(ledger: Ledger, arrivals: Arrivals) -> None:
    """Let a note have been read for half an hour until now, at half a second for a second of sound."""
    note = await arrivals.note()
    taken = await ledger.claim(note.id, "a")
    assert taken is not None
    transcript = Transcript(language="en", duration=3600, segments=(), model="fake")
    assert await ledger.finish(note.id, taken.fence, transcript, engine_s=1800, digest="d")


async def test_a_newcomer_is_told_the_place_that_it_will_have(queue: Queue, ledger: Ledger, arrivals: Arrivals) -> None:
    for _ in range(3):
        await queue.enqueue(await arrivals.note(chat_id=1))
    newcomer = await arrivals.note(chat_id=2)
    foreseen = await estimate_wait(ledger, queue, newcomer)
    await queue.enqueue(newcomer)
    assert foreseen.position == await position(queue, newcomer) == 2


async def test_workers_that_fall_silent_disappear(redis: ArqRedis) -> None:
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


async def test_only_the_run_that_has_the_lease_can_end_a_job(
    queue: Queue, redis: ArqRedis, scripts: LuaScripts, arrivals: Arrivals
) -> None:
    note = await arrivals.note()
    await queue.enqueue(note)
    first = await scripts.pick(NOW_MS, "first", 1000)
    assert first is not None
    assert await scripts.pick(NOW_MS, "second", 1000) is None
    await redis.delete(f"arq:in-progress:{note.id}")
    second = await scripts.pick(NOW_MS, "second", 1000)
    assert second is not None
    assert not await scripts.renew(note.id, "first", 1000)
    assert not await scripts.end(first)
    assert not await scripts.put_back(first, 0)
    assert await scripts.renew(note.id, "second", 1000)
    assert await scripts.end(second)
    assert await redis.keys("arq:*") == []


async def test_a_lease_that_redis_forgot_is_taken_again(
    queue: Queue, redis: ArqRedis, scripts: LuaScripts, arrivals: Arrivals
) -> None:
    await queue.enqueue(await arrivals.note())
    run = await scripts.pick(NOW_MS, "token", 1000)
    assert run is not None
    await redis.flushall()
    assert await scripts.renew(run.job_id, run.token, 1000)
    assert 0 < await redis.pttl(f"arq:in-progress:{run.job_id}") <= 1000


async def test_what_has_been_begun_is_the_first_again_when_its_run_died(
    queue: Queue, redis: ArqRedis, scripts: LuaScripts, ledger: Ledger, arrivals: Arrivals
) -> None:
    early, behind, late = [await arrivals.note(chat_id=chat) for chat in (1, 1, 2)]
    for note in (early, behind, late):
        await queue.enqueue(note)
    picked = [await scripts.pick(NOW_MS, "dead", 60_000) for _ in range(3)]
    assert [run.job_id for run in picked if run] == [early.id, late.id, behind.id]
    await redis.delete(f"arq:in-progress:{behind.id}")
    newcomer = await arrivals.note(chat_id=3)
    await queue.enqueue(newcomer)
    first = await scripts.pick(NOW_MS, "alive", 60_000)
    assert first is not None
    assert first.job_id == behind.id
    done = await ledger.claim(newcomer.id, "worker")
    assert done is not None
    await redis.flushall()
    for note in (early, done):
        await queue.enqueue(note)
    again = await scripts.pick(NOW_MS, "alive", 60_000)
    assert again is not None
    assert again.job_id == newcomer.id


async def test_a_note_queued_anew_while_it_runs_stays_queued(
    queue: Queue, redis: ArqRedis, scripts: LuaScripts, arrivals: Arrivals
) -> None:
    note = await arrivals.note()
    await queue.enqueue(note)
    run = await scripts.pick(NOW_MS, "token", 1000)
    assert run is not None
    await redis.set(f"arq:job:{note.id}", run.payload + b" ")
    assert await scripts.end(run)
    assert await position(queue, note) == 1


async def test_what_is_put_back_keeps_its_place_and_waits(
    queue: Queue, scripts: LuaScripts, arrivals: Arrivals
) -> None:
    notes = [await arrivals.note(chat_id=chat) for chat in (1, 2)]
    for note in notes:
        await queue.enqueue(note)
    run = await scripts.pick(NOW_MS, "token", 1000)
    assert run is not None
    assert await scripts.put_back(run, 60_000)
    assert await position(queue, notes[0]) == 1
    following = await scripts.pick(NOW_MS, "token", 1000)
    assert following is not None
    assert following.job_id == notes[1].id
    assert await scripts.pick(NOW_MS, "token", 1000) is None


async def test_the_first_free_job_is_found_behind_hundreds_that_run(
    queue: Queue, redis: ArqRedis, scripts: LuaScripts, arrivals: Arrivals
) -> None:
    for number in range(250):
        await redis.zadd(QUEUE, {f"elsewhere-{number}": number + 1})
        await redis.set(f"arq:in-progress:elsewhere-{number}", "others", ex=60)
    note = await arrivals.note()
    await queue.enqueue(note)
    assert await position(queue, note) == 1
    run = await scripts.pick(NOW_MS, "token", 1000)
    assert run is not None
    assert run.job_id == note.id


async def test_who_has_no_place_for_long_notes_takes_the_short_one_behind_them(
    queue: Queue, redis: ArqRedis, scripts: LuaScripts, arrivals: Arrivals
) -> None:
    long, short = await arrivals.note(claimed_s=3600), await arrivals.note()
    await queue.enqueue(long)
    assert await scripts.pick(NOW_MS, "token", 60_000, takes_long=False) is None
    await queue.enqueue(short)
    first = await scripts.pick(NOW_MS, "token", 60_000, takes_long=False)
    assert first is not None
    assert (first.job_id, first.is_long) == (short.id, False)
    second = await scripts.pick(NOW_MS, "token", 60_000)
    assert second is not None
    assert (second.job_id, second.is_long) == (long.id, True)
    assert await scripts.end(second)
    assert await redis.keys("earshot:long:*") == []


@pytest.mark.parametrize("free", [500, 499])
async def test_hundreds_of_long_notes_that_wait_are_passed_over_and_no_more(
    redis: ArqRedis, scripts: LuaScripts, free: int
) -> None:
    names = [f"long-{number}" for number in range(600)]
    await redis.zadd(QUEUE, {name: number + 1 for number, name in enumerate([*names, "short"])})
    await redis.mset({f"earshot:long:{name}": "" for name in names})
    await redis.mset({f"arq:in-progress:{name}": "others" for name in names[free:]})
    run = await scripts.pick(NOW_MS, "token", 60_000, takes_long=False)
    assert (run and run.job_id) == (None if free == 500 else "short")


@pytest.mark.parametrize("delay_ms", [0, 60_000])
async def test_a_long_note_that_was_put_back_is_still_long(
    queue: Queue, redis: ArqRedis, scripts: LuaScripts, arrivals: Arrivals, delay_ms: int
) -> None:
    note = await arrivals.note(claimed_s=3600)
    await queue.enqueue(note)
    handed_back = await scripts.pick(NOW_MS, "token", 60_000)
    assert handed_back is not None
    assert await scripts.put_back(handed_back, delay_ms)
    await redis.delete(f"arq:in-progress:{note.id}")  # as it is once a delay is over
    assert await scripts.pick(NOW_MS, "token", 60_000, takes_long=False) is None
    assert await scripts.pick(NOW_MS, "token", 60_000)


async def test_nothing_is_kept_of_a_long_note_that_is_forgotten(
    queue: Queue, redis: ArqRedis, arrivals: Arrivals
) -> None:
    note = await arrivals.note(claimed_s=3600)
    await queue.enqueue(note)
    await queue.remove(note.id)
    assert await redis.keys("*") == []
