"""A worker's lease on a note: kept in Redis, where other workers look first, and in the ledger, which decides."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from jobs.resilience import running_periodically
from storage.ledger import Ledger
from storage.note import Note
from storage.states import HOLD_S

LEASE_S = HOLD_S + 2  # whoever picks a dead worker's job must find the ledger's hold to be over as well
RENEW_S = 3.0
REDIS_TIMEOUT_S = 2.0
WATCH_S = 0.4

Result = TypeVar("Result")


class LeaseLost(Exception):
    """The note is no longer this worker's: it was cancelled, deleted, or taken over."""


class Lease:
    """The right to work on one note, renewed while it is held. `lost` is set when the note is no longer ours."""

    def __init__(self, ledger: Ledger, note: Note, renew_in_redis: Callable[[], Awaitable[object]]) -> None:
        """Hold `note`, which was just claimed."""
        self._ledger = ledger
        self._note = note
        self._renew_in_redis = renew_in_redis
        self.lost = asyncio.Event()

    @contextlib.asynccontextmanager
    async def renewed(self) -> AsyncIterator[None]:
        """Renew the lease in both places, and watch for its loss, for as long as the block runs."""
        # Beside each other: a locked database must not cost the lease, nor a silent Redis the hold.
        async with (
            running_periodically(RENEW_S, self._renew_hold, "hold"),
            running_periodically(RENEW_S, self._renew_lease, "lease"),
            running_periodically(WATCH_S, self._watch, "watch"),
        ):
            yield

    async def verify(self) -> None:
        """Check, and renew, the hold in the ledger before something that others will see.

        Raises:
            LeaseLost: the note is no longer ours.
        """
        if self.lost.is_set() or not await self._renew_hold():
            self.lost.set()
            raise LeaseLost

    async def unless_lost(self, work: Awaitable[Result]) -> Result:
        """Await `work`, but cancel it at once when the lease is lost.

        Raises:
            LeaseLost: it was.
        """
        working, losing = asyncio.ensure_future(work), asyncio.create_task(self.lost.wait())
        try:
            await asyncio.wait({working, losing}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
        finally:
            for task in (working, losing):
                task.cancel()
            await asyncio.gather(working, losing, return_exceptions=True)
        raise LeaseLost

    async def _renew_hold(self) -> bool:
        return await self._ledger.heartbeat(self._note.id, self._note.fence)

    async def _renew_lease(self) -> None:
        async with asyncio.timeout(REDIS_TIMEOUT_S):
            await self._renew_in_redis()

    async def _watch(self) -> None:
        if not await self._ledger.is_owned(self._note.id, self._note.fence):
            self.lost.set()
