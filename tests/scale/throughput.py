"""Measures how the throughput grows with the number of worker processes, with a model that only sleeps."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic

from jobs.queue import Queue, connect
from jobs.redis_server import RedisServer
from storage.telegram.ledger import TelegramLedger
from tests.jobs.conftest import Arrivals, Workers, until
from tests.jobs.doors import FileDoor
from tests.scale.figures import Figure
from tests.storage.conftest import opened
from tests.storage.postgres import postgres

WORKERS = (1, 2, 4, 8, 16)
NOTES_FOR_EACH = 20
AUDIO_S = 1.0
SLEEP_S = 1.0
LINEAR_GOAL = 0.9
SEEDS = 1000  # so that no two runs read the same sound, whose text would be known
TIMEOUT_S = 300.0


async def measure_throughput(folder: Path, workers: tuple[int, ...] = WORKERS) -> list[Figure]:
    """Return how many notes a second so many workers finish, as a share of as many times what one does.

    Each worker takes one note at a time, so that one that wasted no time would finish one in `SLEEP_S`.
    """
    figures = []
    with postgres() as server:
        for database, url in (("SQLite", ""), ("PostgreSQL", server.url)):
            rates = {}
            for count in workers:
                (own := folder / f"{database}-{count}").mkdir(parents=True)
                rates[count] = await _notes_a_second(own, url, count)
            figures += [
                Figure(
                    name=f"{database}, workers: {count}, notes a second: {rate:.2f}; share of linear",
                    value=rate / (count * rates[workers[0]] / workers[0]),
                    unit="",
                    goal=LINEAR_GOAL,
                    is_least=True,
                )
                for count, rate in rates.items()
            ]
    return figures


async def _notes_a_second(folder: Path, database_url: str, count: int) -> float:
    """Queue notes for so many workers, all of which are ready, and time them until the last is delivered."""
    server = RedisServer(folder)
    async with AsyncExitStack() as stack:
        await server.start()
        stack.push_async_callback(server.stop)
        database = await opened(database_url, folder)
        stack.push_async_callback(database.close)
        ledger = TelegramLedger(database)
        queue = Queue(connect(server.url))
        stack.push_async_callback(queue.close)
        workers = Workers(folder, server.url)
        stack.push_async_callback(workers.end)
        for _ in range(count):
            await (await workers.start(fake_rtf=SLEEP_S / AUDIO_S, database_url=database_url)).until_ready()
        arrivals = Arrivals(folder, ledger)
        notes = [
            await arrivals.note(seconds=AUDIO_S, chat_id=number + 1, seed=SEEDS * count + number)
            for number in range(NOTES_FOR_EACH * count)
        ]
        door = FileDoor(folder / "door.jsonl", ledger)
        began = monotonic()
        await queue.enqueue_many(notes)
        await until(lambda: len(door.events("done")) == len(notes), TIMEOUT_S)
        return len(notes) / (monotonic() - began)
