"""Measures how soon everything is queued again after Redis was wiped, and what a new note feels of it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic

from jobs.estimate import estimate_wait
from jobs.queue import Queue, connect
from jobs.reaper import INTERVAL_S, Reaper
from jobs.redis_server import RedisServer
from jobs.resilience import cancel_and_wait, run_periodically
from storage.database import open_database
from storage.telegram.ledger import TelegramLedger
from tests.forks import FORKS
from tests.jobs.conftest import until
from tests.scale.figures import Figure
from tests.scale.filling import fill_ledger
from tests.storage.samples import DOOR, incoming, record

BACK_GOAL_S = 30.0
ACKNOWLEDGED_GOAL_MS = 200.0
REAPERS = 3
NEW_EVERY_S = 0.1
TIMEOUT_S = 600.0


async def measure_recovery(folder: Path, *, waiting: int) -> list[Figure]:
    """Let the reapers of several workers, each a process, bring back all notes, while new notes come."""
    server = RedisServer(folder)
    async with AsyncExitStack() as stack:
        await server.start()
        stack.push_async_callback(server.stop)
        database = await open_database("", folder)
        stack.push_async_callback(database.close)
        await fill_ledger(database, waiting=waiting)
        ledger = TelegramLedger(database)
        queue = Queue(connect(server.url))
        stack.push_async_callback(queue.close)
        for _ in range(REAPERS):
            reaper = FORKS.Process(target=_reap_in_process, args=(folder, server.url), daemon=True)
            await asyncio.to_thread(reaper.start)
            stack.callback(reaper.kill)
        first_s = await _until_all_wait(queue, waiting)
        taken_ms: list[float] = []
        arriving = asyncio.create_task(_take_in_new_notes(ledger, queue, taken_ms))
        await queue.redis.flushall()
        again_s = await _until_all_wait(queue, waiting)
        await cancel_and_wait(arriving)
    return [
        Figure(name=f"{waiting:,} notes queued from an empty Redis", value=first_s, unit="s", goal=BACK_GOAL_S),
        Figure(name=f"{waiting:,} notes back after FLUSHALL", value=again_s, unit="s", goal=BACK_GOAL_S),
        Figure(
            name="slowest of the new notes that came meanwhile, recorded and queued",
            value=max(taken_ms),
            unit="ms",
            goal=ACKNOWLEDGED_GOAL_MS,
        ),
    ]


async def _until_all_wait(queue: Queue, waiting: int) -> float:
    """Return after how many seconds so many notes wait in the queue."""

    async def all_wait() -> bool:
        return int(await queue.redis.zcard(queue.redis.key("waiting"))) >= waiting

    return await until(all_wait, TIMEOUT_S)


async def _take_in_new_notes(ledger: TelegramLedger, queue: Queue, taken_ms: list[float]) -> None:
    """Do for a new note what the bot does, again and again."""
    for chat_id in range(1, 1_000_000):
        began = monotonic()
        note, _ = await record(ledger, incoming(chat_id=-chat_id))
        await estimate_wait(await ledger.speed(), queue, note)
        await queue.enqueue(note)
        taken_ms.append(1000 * (monotonic() - began))
        await asyncio.sleep(NEW_EVERY_S)


def _reap_in_process(folder: Path, url: str) -> None:
    asyncio.run(_reap(folder, url))


async def _reap(folder: Path, url: str) -> None:
    ledger = TelegramLedger(await open_database("", folder))
    redis = connect(url)
    await run_periodically(INTERVAL_S, Reaper(redis, ledger, Queue(redis), DOOR).requeue_orphans, "reaper")
