"""A Redis that Earshot shares with another arq program, and with another Earshot."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from arq import ArqRedis
from arq.worker import Worker, func

from jobs.leases import Leases
from jobs.queue import Queue, connect
from jobs.redis import PrefixedRedis
from jobs.redis_server import RedisServer
from jobs.worker_context import WorkerContext
from storage.database import open_database
from storage.telegram.ledger import TelegramLedger
from tests.jobs.conftest import Arrivals, position, until
from tests.jobs.doors import FileDoor
from tests.jobs.test_leased_worker import told, working
from tests.storage.samples import DOOR

pytestmark = pytest.mark.usefixtures("quick_reaper")


async def run_theirs(redis: ArqRedis) -> list[int]:
    """Run a plain arq worker until its queue is empty; gives the jobs that it ran."""
    ran = []

    async def theirs(ctx: dict[str, object], number: int) -> None:
        del ctx
        ran.append(number)

    worker = Worker([func(theirs, name="theirs")], redis_pool=redis, burst=True, poll_delay=0.01, handle_signals=False)
    await worker.main()
    return sorted(ran)


async def test_another_arq_program_keeps_its_jobs_and_gets_none_of_ours(
    context: WorkerContext, queue: Queue, redis: PrefixedRedis, arrivals: Arrivals
) -> None:
    foreign = ArqRedis(redis.connection_pool)
    for number in range(3):
        await foreign.enqueue_job("theirs", number)
    await foreign.enqueue_job("theirs", 3, _defer_by=0.5)
    note = await arrivals.note()
    await queue.enqueue(note)
    async with working(context, redis):
        await until(lambda: told(context.ledger))
        await asyncio.sleep(0.3)
    assert len(await foreign.queued_jobs()) == 4
    following = await arrivals.note()
    await queue.enqueue(following)
    assert await run_theirs(foreign) == [0, 1, 2, 3]
    assert await position(queue, following) == 1


async def test_two_earshots_with_two_prefixes_leave_each_other_alone_even_with_the_same_notes(  # noqa: PLR0913, PLR0917 - fixtures
    context: WorkerContext, queue: Queue, redis: PrefixedRedis, arrivals: Arrivals, server: RedisServer, tmp_path: Path
) -> None:
    notes = [await arrivals.note(chat_id=chat) for chat in (1, 2)]
    copy = tmp_path / "copy"
    copy.mkdir()
    with sqlite3.connect(tmp_path / "earshot.db") as mine, sqlite3.connect(copy / "earshot.db") as other:
        mine.backup(other)
    database, others_redis = await open_database("", copy), connect(server.url, "other")
    others_ledger = TelegramLedger(database)
    others_door = FileDoor(copy / "door.jsonl", others_ledger)
    others_queue = Queue(others_redis)
    for note in notes:
        await queue.enqueue(note)
        await others_queue.enqueue(note)
    async with working(context, redis):
        await until(lambda: told(context.ledger))
        await asyncio.sleep(0.3)
        assert [await position(others_queue, note) for note in notes] == [1, 2]
        assert await others_queue.workers() == []
        assert others_door.events() == []
    names = {key.decode() for key in await redis.keys("*")} - {f"earshot:reaper:{DOOR}"}
    assert all(key.startswith(("other:", "arq:job:other:")) for key in names), names
    assert {f"arq:job:{others_redis.job_id(note.id)}" for note in notes} <= names
    others = WorkerContext(
        worker_id="other",
        ledger=others_ledger,
        leases=Leases(others_ledger),
        door=others_door,
        engine=context.engine,
        artefacts=context.artefacts,
        scratch=copy / "scratch",
        timeout_s=60,
        defaults=context.defaults,
    )
    async with working(others, others_redis):
        await until(lambda: told(others_ledger))
    assert {event["note"]: event["text"] for event in others_door.events("done")} == arrivals.texts
    await others_queue.close()
    await database.close()
