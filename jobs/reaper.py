"""Reaper: queues again what the ledger holds unfinished and the queue does not know, for whatever reason."""

import structlog
from redis.exceptions import LockError

from jobs.queue import Queue
from jobs.redis import PrefixedRedis
from storage.ledger import Ledger
from storage.states import QUIET_S

INTERVAL_S = 2.0
LOCK = "reaper"
LOCK_S = 5.0  # renewed before every page: a reaper whose worker died is replaced after this time
PAGE = 1000
PAGES_IN_ORDER = 10  # after so many pages of which nothing is missing, the next round goes on

log = structlog.get_logger()


class Reaper:
    """Every worker has one; the one that holds a lock in Redis does the work until it ends."""

    def __init__(self, redis: PrefixedRedis, ledger: Ledger, queue: Queue, door: str) -> None:
        """Compare the notes of a door in `ledger` with `queue`."""
        self._lock = redis.lock(redis.key(LOCK, door), timeout=LOCK_S, blocking=False, thread_local=False)
        self._ledger = ledger
        self._queue = queue
        self._door = door
        self._after = ""  # the id up to which the ledger has been compared

    async def requeue_orphans(self) -> int:
        """Queue orphaned notes again, unless another reaper does; returns how many were queued.

        While some are missing it goes on to the end of the ledger; else a round is `PAGES_IN_ORDER` pages, and the next
        one goes on behind them.
        """
        queued, in_order = 0, 0
        while in_order < PAGES_IN_ORDER and await self._holds_lock():
            page = await self._ledger.orphaned(QUIET_S, door=self._door, after=self._after, limit=PAGE)
            missing = await self._queue.missing(page)
            if missing:
                notes = await self._ledger.get_many(missing)
                if not await self._queue.enqueue_many(notes):
                    break
                queued += len(notes)
            else:
                in_order += 1
            self._after = page[-1] if len(page) == PAGE else ""
            if not self._after:
                break
        if queued:
            log.warning("queued_again", notes=queued)
        return queued

    async def _holds_lock(self) -> bool:
        try:
            return bool(await self._lock.reacquire())
        except LockError:
            return bool(await self._lock.acquire())
