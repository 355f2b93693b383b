"""Where notes are kept and where they wait, as the settings say. For the bot and for workers alike."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.config.settings import Settings
from jobs.queue import Queue, connect
from jobs.redis_server import embedded_url
from storage.database import open_database
from storage.ledger import Ledger
from storage.recordings import Recordings


@asynccontextmanager
async def open_ledger(settings: Settings) -> AsyncIterator[Ledger]:
    """Open the ledger, and close it."""
    database = await open_database(settings.database.url, settings.data_dir)
    try:
        yield Ledger(database)
    finally:
        await database.close()


@asynccontextmanager
async def open_queue(settings: Settings, ledger: Ledger) -> AsyncIterator[Queue]:
    """Open the queue, and close it."""
    queue = Queue(connect(redis_url(settings)), ledger)
    try:
        yield queue
    finally:
        await queue.close()


def redis_url(settings: Settings) -> str:
    """Give the address of the Redis that is configured, or of the embedded one."""
    return settings.redis.url or embedded_url(settings.data_dir)


def open_recordings(settings: Settings) -> Recordings:
    """Give the folder of the newest recordings."""
    return Recordings(settings.data_dir / "recordings", settings.storage.max_recordings)
