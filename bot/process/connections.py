"""Opens the database, the queue and the store of artefacts that the settings name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.config.settings import Settings
from jobs.queue import Queue, connect
from jobs.redis import PrefixedRedis
from jobs.redis_refusals import check_not_refused
from jobs.redis_server import embedded_url
from storage.artefacts.artefact import Retention
from storage.artefacts.artefacts import Artefacts
from storage.artefacts.outbox import Outbox
from storage.artefacts.store import open_stores
from storage.database import open_database
from storage.ledger import Ledger
from storage.telegram.ledger import TelegramLedger


@asynccontextmanager
async def open_ledger(settings: Settings) -> AsyncIterator[TelegramLedger]:
    """Open the ledger, and close it at the end of the block."""
    database = await open_database(settings.database.url, settings.data_dir, settings.database.pool_size)
    try:
        yield TelegramLedger(
            database, Retention(formats=settings.artefacts.formats, keep_days=settings.storage.keep_days)
        )
    finally:
        await database.close()


@asynccontextmanager
async def open_queue(settings: Settings) -> AsyncIterator[Queue]:
    """Open the queue, and close it at the end of the block.

    Raises:
        QueueUnreachable: Redis answers, and refuses us.
    """
    queue = Queue(open_redis(settings))
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


def open_artefacts(settings: Settings, ledger: Ledger) -> Artefacts:
    """Return the artefacts; the store is opened when it is first used.

    Raises:
        ArtefactsUrlInvalid: `artefacts.url` cannot be read.
    """
    stores = open_stores(settings.artefacts.url, settings.data_dir)
    return Artefacts(ledger, stores, Outbox(settings.data_dir), settings.storage.max_recordings)
