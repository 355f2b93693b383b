"""Reaper: queues again what the ledger holds unfinished and the queue does not know, for whatever reason."""

import structlog
from arq import ArqRedis

from jobs.queue import Queue
from storage.ledger import Ledger

INTERVAL_S = 2.0
QUIET_S = 8.0  # whoever has just changed a note is about to queue it or to answer in the chat
LOCK_KEY = "earshot:reaper"
BATCH = 1000

log = structlog.get_logger()


class Reaper:
    """Every worker has one; a lock in Redis lets one of them at a time do the work."""

    def __init__(self, redis: ArqRedis, ledger: Ledger, queue: Queue, bot_id: int) -> None:
        """Compare the notes of a bot in `ledger` with `queue`."""
        self._redis = redis
        self._ledger = ledger
        self._queue = queue
        self._bot_id = bot_id

    async def requeue_orphans(self) -> int:
        """Queue orphaned notes again, unless another reaper has just done so; returns how many were queued."""
        lock_ms = round(INTERVAL_S * 900)
        if not await self._redis.set(f"{LOCK_KEY}:{self._bot_id}", "1", px=lock_ms, nx=True):
            return 0
        orphaned = await self._ledger.orphaned(QUIET_S, bot_id=self._bot_id)
        queued = 0
        for start in range(0, len(orphaned), BATCH):
            missing = await self._queue.missing(orphaned[start : start + BATCH])
            for note in await self._ledger.get_many(missing):
                queued += await self._queue.enqueue(note)
        if queued:
            log.warning("queued_again", notes=queued)
        return queued
