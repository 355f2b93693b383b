from collections.abc import Sequence
from dataclasses import replace

import pytest

from jobs import reaper as reaper_module
from jobs.lua_scripts import LuaScripts
from jobs.queue import Queue
from jobs.reaper import LOCK, Reaper
from jobs.redis import PrefixedRedis
from storage.note import Note
from storage.telegram.ledger import TelegramLedger
from tests.jobs.conftest import Arrivals, position, until
from tests.storage.samples import BOT, DOOR, incoming, record, transcript


@pytest.fixture
def reaper(redis: PrefixedRedis, ledger: TelegramLedger, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> Reaper:
    monkeypatch.setattr(reaper_module, "QUIET_S", 0.0)
    return Reaper(redis, ledger, queue, DOOR)


async def test_what_the_queue_lost_is_queued_again_in_its_order(
    reaper: Reaper, queue: Queue, redis: PrefixedRedis, arrivals: Arrivals
) -> None:
    for chat_id in (1, 1, 2):
        await queue.enqueue(await arrivals.note(chat_id=chat_id))
    before = await redis.zrange(redis.key("waiting"), 0, -1, withscores=True)
    await redis.flushall()
    assert await reaper.requeue_orphans() == 3
    assert await redis.zrange(redis.key("waiting"), 0, -1, withscores=True) == before


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
    reaper: Reaper, queue: Queue, redis: PrefixedRedis, arrivals: Arrivals
) -> None:
    note = await arrivals.note()
    await queue.enqueue(note)
    await redis.pexpire(f"arq:job:{redis.job_id(note.id)}", 1)

    async def has_expired() -> bool:
        return not await redis.exists(f"arq:job:{redis.job_id(note.id)}")

    await until(has_expired)
    scripts = LuaScripts(redis)
    run = await scripts.pick("token", 1000)
    assert run is not None
    assert await scripts.end(run)  # as the worker does with a job that arq would not begin
    assert await position(queue, note) == 0
    assert await reaper.requeue_orphans() == 1
    assert await position(queue, note) == 1


async def test_what_is_done_but_not_delivered_is_not_queued(
    reaper: Reaper, ledger: TelegramLedger, arrivals: Arrivals
) -> None:
    note = await arrivals.note()
    claimed = await ledger.claim(note.id, "worker")
    assert claimed is not None
    await ledger.finish(note.id, claimed.fence, transcript(), engine_s=1, digest="d")
    await ledger.release(note.id, claimed.fence)
    assert await reaper.requeue_orphans() == 0


async def test_what_a_living_worker_holds_is_left_alone(
    reaper: Reaper, ledger: TelegramLedger, arrivals: Arrivals
) -> None:
    await ledger.claim((await arrivals.note()).id, "worker")
    assert await reaper.requeue_orphans() == 0


async def test_a_ledger_of_many_pages_is_queued_again_in_its_order_in_one_round(
    reaper: Reaper, queue: Queue, redis: PrefixedRedis, arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch
) -> None:
    for chat_id in (1, 1, 2, 1, 1, 2, 1):
        await queue.enqueue(await arrivals.note(chat_id=chat_id))
    run = await LuaScripts(redis).pick("token", 60_000)
    assert run is not None
    taken = run.job_id.removeprefix(redis.job_id(""))
    assert await arrivals.ledger.claim(taken, "worker")
    before = await redis.zrange(redis.key("waiting"), 0, -1, withscores=True)
    await redis.flushall()
    monkeypatch.setattr(reaper_module, "PAGE", 2)
    monkeypatch.setattr(reaper_module, "PAGES_IN_ORDER", 1)
    assert await reaper.requeue_orphans() == 6
    assert await redis.zrange(redis.key("waiting"), 0, -1, withscores=True) == before


async def test_a_round_goes_on_where_the_one_before_it_ended_and_fetches_only_what_is_missing(
    reaper: Reaper, queue: Queue, ledger: TelegramLedger, arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = [await arrivals.note() for _ in range(5)]
    for note in notes:
        await queue.enqueue(note)
    fetched: list[str] = []
    get_many = ledger.get_many

    async def spy(note_ids: Sequence[str]) -> list[Note]:
        fetched.extend(note_ids)
        return await get_many(note_ids)

    monkeypatch.setattr(ledger, "get_many", spy)
    monkeypatch.setattr(reaper_module, "PAGE", 2)
    monkeypatch.setattr(reaper_module, "PAGES_IN_ORDER", 1)
    await queue.remove(notes[3].id)
    assert [await reaper.requeue_orphans() for _ in range(4)] == [0, 1, 0, 0]
    assert fetched == [notes[3].id]
    await queue.remove(notes[0].id)
    assert sum([await reaper.requeue_orphans() for _ in range(3)]) == 1, "it begins again behind the last page"


async def test_a_page_that_redis_did_not_take_comes_again(
    reaper: Reaper, queue: Queue, arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = await arrivals.note()
    take = queue.enqueue_many

    async def refuse(notes: Sequence[tuple[Note, int]]) -> bool:
        del notes
        return False

    monkeypatch.setattr(queue, "enqueue_many", refuse)
    assert await reaper.requeue_orphans() == 0
    monkeypatch.setattr(queue, "enqueue_many", take)
    assert await reaper.requeue_orphans() == 1
    assert await position(queue, note) == 1


async def test_the_reaper_that_works_goes_on_working_and_another_takes_over_once_it_is_gone(
    reaper: Reaper, queue: Queue, redis: PrefixedRedis, ledger: TelegramLedger, arrivals: Arrivals
) -> None:
    other = Reaper(redis, ledger, queue, DOOR)
    await arrivals.note()
    assert await reaper.requeue_orphans() == 1
    await arrivals.note()
    assert await other.requeue_orphans() == 0
    await redis.pexpire(redis.key(LOCK, DOOR), 500)
    assert await reaper.requeue_orphans() == 1
    assert await redis.pttl(redis.key(LOCK, DOOR)) > 500, "renewed"
    await redis.delete(redis.key(LOCK, DOOR))  # as it is LOCK_S after its holder died
    await arrivals.note()
    assert await other.requeue_orphans() == 1
    await arrivals.note()
    assert await reaper.requeue_orphans() == 0


async def test_only_one_reaper_goes_round_at_a_time(reaper: Reaper, redis: PrefixedRedis, arrivals: Arrivals) -> None:
    await arrivals.note()
    await redis.set(redis.key(LOCK, DOOR), "1", px=1000)
    assert await reaper.requeue_orphans() == 0


async def test_what_has_just_come_is_left_to_the_bot(
    reaper: Reaper, arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reaper_module, "QUIET_S", 8.0)
    await arrivals.note()
    assert await reaper.requeue_orphans() == 0


async def test_notes_of_another_bot_are_left_to_its_own_workers(
    reaper: Reaper, queue: Queue, ledger: TelegramLedger
) -> None:
    foreign, _ = await record(ledger, replace(incoming(), bot_id=BOT + 1))
    assert await reaper.requeue_orphans() == 0
    assert await queue.missing([foreign.id]) == [foreign.id]
