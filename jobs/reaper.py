"""Queues again what the ledger holds unfinished and the queue does not know, for whatever reason it does not."""

import structlog
from arq import ArqRedis

from jobs.queue import Queue
from storage.ledger import Ledger

INTERVAL_S = 2.0
QUIET_S = 8.0  # whoever has just changed a note is about to queue it or to tell the chat
LOCK = "earshot:reaper"
AT_ONCE = 1000

log = structlog.get_logger()


class Reaper:
    """Every worker has one; a lock lets one of them at a time do the work."""

    def __init__(self, redis: ArqRedis, ledger: Ledger, queue: Queue) -> None:
        """Compare `ledger` and `queue`."""
        self._redis = redis
        self._ledger = ledger
        self._queue = queue

    async def pass_by(self) -> int:
        """Queue again what is adrift, unless another reaper has just done so; gives how many."""
        lock_ms = round(INTERVAL_S * 900)
        if not await self._redis.set(LOCK, "1", px=lock_ms, nx=True):
            return 0
        adrift = await self._ledger.adrift(QUIET_S)
        queued = 0
        for start in range(0, len(adrift), AT_ONCE):
            unknown = await self._queue.unknown(adrift[start : start + AT_ONCE])
            for note in await self._ledger.many(unknown):
                queued += await self._queue.enqueue(note)
        if queued:
            log.warning("queued_again", notes=queued)
        return queued
