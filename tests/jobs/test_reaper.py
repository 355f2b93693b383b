from dataclasses import replace

import pytest
from arq import ArqRedis

from jobs import reaper as reaper_module
from jobs.lua_scripts import LuaScripts
from jobs.queue import Queue
from jobs.reaper import LOCK_KEY, Reaper
from jobs.redis import QUEUE
from storage.ledger import Ledger
from tests.jobs.conftest import Arrivals, position, until
from tests.storage.samples import BOT, incoming, transcript


@pytest.fixture
def reaper(redis: ArqRedis, ledger: Ledger, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> Reaper:
    monkeypatch.setattr(reaper_module, "QUIET_S", 0.0)
    return Reaper(redis, ledger, queue, BOT)


async def test_what_the_queue_lost_is_queued_again_in_its_order(
    reaper: Reaper, queue: Queue, redis: ArqRedis, arrivals: Arrivals
) -> None:
    for chat_id in (1, 1, 2):
        await queue.enqueue(await arrivals.note(chat_id=chat_id))
    before = await redis.zrange(QUEUE, 0, -1, withscores=True)
    await redis.flushall()
    assert await reaper.requeue_orphans() == 3
    assert await redis.zrange(QUEUE, 0, -1, withscores=True) == before


async def test_what_the_queue_knows_is_left_alone(reaper: Reaper, queue: Queue, arrivals: Arrivals) -> None:
    await queue.enqueue(await arrivals.note())
    assert await reaper.requeue_orphans() == 0


async def test_a_note_that_never_got_into_the_queue_gets_there(
    reaper: Reaper, queue: Queue, arrivals: Arrivals
) -> None:
    note = await arrivals.note()
    assert await reaper.requeue_orphans() == 1
    assert await position(queue, note) == 1


async def test_a_job_that_arq_drops_because_it_expired_comes_back(
    reaper: Reaper, queue: Queue, redis: ArqRedis, arrivals: Arrivals
) -> None:
    note = await arrivals.note()
    await queue.enqueue(note)
    await redis.pexpire(f"arq:job:{note.id}", 1)

    async def has_expired() -> bool:
        return not await redis.exists(f"arq:job:{note.id}")

    await until(has_expired)
    scripts = LuaScripts(redis)
    run = await scripts.pick(10**13, "token", 1000)
    assert run is not None
    assert await scripts.end(run)  # as the worker does with a job that arq would not begin
    assert await position(queue, note) == 0
    assert await reaper.requeue_orphans() == 1
    assert await position(queue, note) == 1


async def test_what_is_done_but_not_delivered_is_not_queued(reaper: Reaper, ledger: Ledger, arrivals: Arrivals) -> None:
    note = await arrivals.note()
    claimed = await ledger.claim(note.id, "worker")
    assert claimed is not None
    await ledger.finish(note.id, claimed.fence, transcript(), engine_s=1, digest="d")
    await ledger.release(note.id, claimed.fence)
    assert await reaper.requeue_orphans() == 0


async def test_what_a_living_worker_holds_is_left_alone(reaper: Reaper, ledger: Ledger, arrivals: Arrivals) -> None:
    await ledger.claim((await arrivals.note()).id, "worker")
    assert await reaper.requeue_orphans() == 0


async def test_only_one_reaper_goes_round_at_a_time(reaper: Reaper, redis: ArqRedis, arrivals: Arrivals) -> None:
    await arrivals.note()
    await redis.set(f"{LOCK_KEY}:{BOT}", "1", px=1000)
    assert await reaper.requeue_orphans() == 0


async def test_what_has_just_come_is_left_to_the_bot(
    reaper: Reaper, arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reaper_module, "QUIET_S", 8.0)
    await arrivals.note()
    assert await reaper.requeue_orphans() == 0


async def test_notes_of_another_bot_are_left_to_its_own_workers(reaper: Reaper, queue: Queue, ledger: Ledger) -> None:
    foreign, _ = await ledger.record(replace(incoming(), bot_id=BOT + 1))
    assert await reaper.requeue_orphans() == 0
    assert await queue.missing([foreign.id]) == [foreign.id]
