"""Opens the database, the queue and the recordings folder that the settings name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.config.settings import Settings
from jobs.queue import Queue, connect
from jobs.redis import PrefixedRedis
from jobs.redis_refusals import check_not_refused
from jobs.redis_server import embedded_url
from storage.database import open_database
from storage.ledger import Ledger
from storage.recordings import Recordings


@asynccontextmanager
async def open_ledger(settings: Settings) -> AsyncIterator[Ledger]:
    """Open the ledger, and close it at the end of the block."""
    database = await open_database(settings.database.url, settings.data_dir, settings.database.pool_size)
    try:
        yield Ledger(database)
    finally:
        await database.close()


@asynccontextmanager
async def open_queue(settings: Settings, ledger: Ledger) -> AsyncIterator[Queue]:
    """Open the queue, and close it at the end of the block.

    Raises:
        QueueUnreachable: Redis answers, and refuses us.
    """
    queue = Queue(open_redis(settings), ledger)
    try:
        await check_not_refused(queue.redis)
        yield queue
    finally:
        await queue.close()


def open_redis(settings: Settings) -> PrefixedRedis:
    """Return a client of the configured Redis, or of the embedded one; it connects when first used.

    Raises:
        RedisUrlInvalid: `redis.url` cannot be read.
    """
    return connect(redis_url(settings), settings.redis.prefix)


def redis_url(settings: Settings) -> str:
    """Return the URL of the configured Redis, or of the embedded one."""
    return settings.redis.url or embedded_url(settings.data_dir)


def open_recordings(settings: Settings) -> Recordings:
    """Return the store of the newest recordings."""
    return Recordings(settings.data_dir / "recordings", settings.storage.max_recordings)
