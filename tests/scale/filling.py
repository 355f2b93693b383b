"""Fills a queue and a ledger with many entries, faster than by taking each in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select

from jobs.lua_scripts import LuaScripts, QueuedJob
from jobs.redis import PrefixedRedis
from jobs.worker_registry import WorkerRegistration
from storage.database import Database
from storage.tables import notes
from storage.telegram.ledger import TelegramLedger
from tests.storage.samples import incoming, record

AT_ONCE = 4  # jobs of one worker
BATCH = 500
LEASE_MS = 3_600_000  # longer than the measurement takes
CHATS = 5000


async def fill_queue(redis: PrefixedRedis, *, waiting: int, running: int) -> None:
    """Queue so many jobs, and let workers that do not exist have leases of some."""
    scripts = LuaScripts(redis)
    for start in range(0, waiting + running, BATCH):
        await scripts.enqueue([*_jobs(redis, start, min(start + BATCH, waiting + running))])
    for number in range(running):
        await scripts.pick(f"run-{number}", LEASE_MS)
    for number in range(running // AT_ONCE):
        registration = WorkerRegistration(redis, f"worker-{number}", "fake", AT_ONCE)
        registration.notes = {f"{number:012}{place:04}" for place in range(AT_ONCE)}
        await registration.refresh()


def _jobs(redis: PrefixedRedis, start: int, end: int) -> Iterator[QueuedJob]:
    for number in range(start, end):
        yield QueuedJob(job_id=redis.job_id(f"{number:016}"), payload=b"{}", score=number + 1, audio_ms=20_000)


async def fill_ledger(database: Database, *, waiting: int) -> None:
    """Record so many notes of many chats, which came a minute ago and are not in any queue."""
    first, _ = await record(TelegramLedger(database), incoming(chat_id=1))
    async with database.reading() as connection:
        columns = [column for column in notes.c if column.computed is None]
        row = dict((await connection.execute(select(*columns).where(notes.c.id == first.id))).mappings().one())
    for start in range(1, waiting, BATCH):
        rows = [_copy(row, number) for number in range(start, min(start + BATCH, waiting))]
        async with database.writing() as connection:
            await connection.execute(insert(notes), rows)


def _copy(row: dict[str, Any], number: int) -> dict[str, Any]:
    came: datetime = row["queued_at"]
    return row | {
        "id": f"{number:026}",
        "chat_id": number % CHATS + 1,
        "user_id": number % CHATS + 1,
        "account": f"telegram:{number % CHATS + 1}",
        "tag": 300_000 * (number // CHATS + 1),
        "message_id": -number,
        "file_unique_id": str(number),
        "queued_at": came - timedelta(minutes=1) + timedelta(microseconds=number),
    }
