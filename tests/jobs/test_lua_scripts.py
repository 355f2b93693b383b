import pytest

from jobs.lua_scripts import LuaScripts, Run
from jobs.queue import Queue
from jobs.redis import PrefixedRedis
from storage.note import Note
from storage.telegram.ledger import TelegramLedger
from tests.jobs.conftest import Arrivals, position, waiting


def note_of(run: Run | None) -> str | None:
    """Give the id of the note that was picked."""
    return None if run is None else run.job_id.removeprefix("earshot:note:")


async def lose_lease(redis: PrefixedRedis, note: Note) -> None:
    """Let the lease of the note's run be over."""
    await redis.zadd(redis.key("running"), {redis.job_id(note.id): 1}, xx=True)


async def picked(queue: Queue, scripts: LuaScripts, note: Note) -> Run:
    """Queue a note and pick it, for a minute."""
    await queue.enqueue(note)
    run = await scripts.pick("token", 60_000)
    assert run is not None
    return run


async def test_only_the_run_that_has_the_lease_can_end_a_job(
    queue: Queue, redis: PrefixedRedis, scripts: LuaScripts, arrivals: Arrivals
) -> None:
    note = await arrivals.note()
    await queue.enqueue(note)
    first = await scripts.pick("first", 1000)
    assert first is not None
    assert await scripts.pick("second", 1000) is None
    await lose_lease(redis, note)
    second = await scripts.pick("second", 1000)
    assert second is not None
    assert not await scripts.renew([first], 1000)
    assert not await scripts.end(first)
    assert not await scripts.put_back(first, 0)
    assert await scripts.renew([second], 1000)
    assert await scripts.end(second)
    assert await redis.keys("*") == []


async def test_a_lease_that_redis_forgot_is_taken_again(
    queue: Queue, redis: PrefixedRedis, scripts: LuaScripts, arrivals: Arrivals
) -> None:
    note = await arrivals.note()
    run = await picked(queue, scripts, note)
    await redis.flushall()
    assert await scripts.renew([run], 1000)
    assert await redis.zrange(redis.key("running"), 0, -1) == [run.job_id.encode()]
    await queue.enqueue(note)
    assert await scripts.pick("other", 1000) is None


async def test_a_lease_that_was_over_is_taken_again_unless_another_run_has_the_job(
    queue: Queue, redis: PrefixedRedis, scripts: LuaScripts, arrivals: Arrivals
) -> None:
    note, other = await arrivals.note(chat_id=1), await arrivals.note(chat_id=2)
    run = await picked(queue, scripts, note)
    await lose_lease(redis, note)
    await queue.enqueue(other)
    second = await scripts.pick("other", 60_000, takes_long=False)  # takes the note back, which is first
    assert second is not None
    assert not await scripts.renew([run], 60_000)
    await lose_lease(redis, note)
    assert await scripts.renew([run, second], 60_000) == {run.job_id}
    assert await waiting(queue) == [other.id]
    third = await scripts.pick("third", 60_000)
    assert third is not None
    assert await scripts.renew([second, third], 60_000) == {second.job_id, third.job_id}


async def test_what_a_run_that_redis_forgot_leaves_behind_is_dropped(
    queue: Queue, redis: PrefixedRedis, scripts: LuaScripts, arrivals: Arrivals
) -> None:
    note = await arrivals.note()
    run = await picked(queue, scripts, note)
    await redis.flushall()
    assert await scripts.renew([run], 60_000)
    await lose_lease(redis, note)
    assert await scripts.pick("other", 60_000) is None
    assert await queue.missing([note.id]) == [note.id]
    assert await redis.keys("*") == []


async def test_what_has_been_begun_is_the_first_again_when_its_run_died(
    queue: Queue, redis: PrefixedRedis, scripts: LuaScripts, ledger: TelegramLedger, arrivals: Arrivals
) -> None:
    early, behind, late = [await arrivals.note(chat_id=chat) for chat in (1, 1, 2)]
    for note in (early, behind, late):
        await queue.enqueue(note)
    picked = [await scripts.pick("dead", 60_000) for _ in range(3)]
    assert [note_of(run) for run in picked] == [early.id, late.id, behind.id]
    await lose_lease(redis, behind)
    newcomer = await arrivals.note(chat_id=3)
    await queue.enqueue(newcomer)
    assert note_of(await scripts.pick("alive", 60_000)) == behind.id
    done = await ledger.claim(newcomer.id, "worker")
    assert done is not None
    await redis.flushall()
    for note in (early, early.updated(done)):
        await queue.enqueue(note)
    assert note_of(await scripts.pick("alive", 60_000)) == newcomer.id


async def test_a_note_queued_anew_while_it_runs_waits_again_when_its_run_has_ended(
    queue: Queue, scripts: LuaScripts, arrivals: Arrivals
) -> None:
    note = await arrivals.note(claimed_s=3600)
    run = await picked(queue, scripts, note)
    await queue.enqueue(note)
    assert await scripts.pick("token", 60_000) is None
    assert await scripts.end(run)
    assert await position(queue, note) == 1
    assert await scripts.pick("token", 60_000, takes_long=False) is None
    again = await scripts.pick("token", 60_000)
    assert again is not None
    assert await scripts.end(again)
    assert await position(queue, note) == 0


async def test_a_note_that_is_removed_while_it_runs_does_not_wait_again(
    queue: Queue, redis: PrefixedRedis, scripts: LuaScripts, arrivals: Arrivals
) -> None:
    note = await arrivals.note()
    run = await picked(queue, scripts, note)
    await queue.enqueue(note)
    await queue.remove(note.id)
    assert await scripts.renew([run], 60_000)
    assert await scripts.end(run)
    assert await redis.keys("*") == []


async def test_what_is_put_back_keeps_its_place_and_waits(
    queue: Queue, scripts: LuaScripts, arrivals: Arrivals
) -> None:
    notes = [await arrivals.note(chat_id=chat) for chat in (1, 2)]
    for note in notes:
        await queue.enqueue(note)
    run = await scripts.pick("token", 1000)
    assert run is not None
    assert await scripts.put_back(run, 60_000)
    assert await position(queue, notes[0]) == 1
    assert note_of(await scripts.pick("token", 1000)) == notes[1].id
    assert await scripts.pick("token", 1000) is None


async def test_who_has_no_place_for_long_notes_takes_the_short_one_behind_them(
    queue: Queue, scripts: LuaScripts, arrivals: Arrivals
) -> None:
    long, short = await arrivals.note(claimed_s=3600), await arrivals.note()
    await queue.enqueue(long)
    assert await scripts.pick("token", 60_000, takes_long=False) is None
    await queue.enqueue(short)
    first = await scripts.pick("token", 60_000, takes_long=False)
    assert first is not None
    assert (note_of(first), first.is_long) == (short.id, False)
    second = await scripts.pick("token", 60_000)
    assert second is not None
    assert (note_of(second), second.is_long) == (long.id, True)
    assert await scripts.end(second)


@pytest.mark.parametrize("delay_ms", [0, 60_000])
async def test_a_long_note_that_was_put_back_is_still_long(
    queue: Queue, redis: PrefixedRedis, scripts: LuaScripts, arrivals: Arrivals, delay_ms: int
) -> None:
    note = await arrivals.note(claimed_s=3600)
    handed_back = await picked(queue, scripts, note)
    assert await scripts.put_back(handed_back, delay_ms)
    await redis.zadd(redis.key("later"), {handed_back.job_id: 1}, xx=True)
    assert await scripts.pick("token", 60_000, takes_long=False) is None
    assert await scripts.pick("token", 60_000)
