"""A worker's right to a note: kept in Redis, where other workers look first, and in the ledger, which decides."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from jobs.engine_threads import NoteLost
from jobs.periodic import meanwhile
from storage.ledger import Ledger
from storage.note import Note
from storage.states import HOLD_S

LEASE_S = HOLD_S + 2  # whoever picks a dead worker's job must find the ledger's hold to be over as well
RENEW_S = 3.0
REDIS_S = 2.0
WATCH_S = 0.4

Result = TypeVar("Result")


class Lease:
    """Renewed for as long as the note is held. `lost` is set when the note was cancelled, deleted or taken over."""

    def __init__(self, ledger: Ledger, note: Note, renew_in_redis: Callable[[], Awaitable[object]]) -> None:
        """Hold `note`, which was just claimed."""
        self._ledger = ledger
        self._note = note
        self._renew_in_redis = renew_in_redis
        self.lost = asyncio.Event()

    @contextlib.asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Keep the lease for as long as the block runs."""
        # Beside each other: a locked database must not cost the lease, nor a silent Redis the hold.
        async with (
            meanwhile(RENEW_S, self._beat, "hold"),
            meanwhile(RENEW_S, self._renew, "lease"),
            meanwhile(WATCH_S, self._watch, "watch"),
        ):
            yield

    async def check(self) -> None:
        """Make sure of the note before something that others will see.

        Raises:
            NoteLost: it is no longer ours.
        """
        if self.lost.is_set() or not await self._ledger.beat(self._note.id, self._note.fence):
            self.lost.set()
            raise NoteLost

    async def unless_lost(self, work: Awaitable[Result]) -> Result:
        """Do `work`, but drop it at once when the note is lost.

        Raises:
            NoteLost: it was.
        """
        doing, losing = asyncio.ensure_future(work), asyncio.create_task(self.lost.wait())
        try:
            await asyncio.wait({doing, losing}, return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                return doing.result()
        finally:
            for task in (doing, losing):
                task.cancel()
            await asyncio.gather(doing, losing, return_exceptions=True)
        raise NoteLost

    async def _beat(self) -> None:
        await self._ledger.beat(self._note.id, self._note.fence)

    async def _renew(self) -> None:
        async with asyncio.timeout(REDIS_S):
            await self._renew_in_redis()

    async def _watch(self) -> None:
        if not await self._ledger.mine(self._note.id, self._note.fence):
            self.lost.set()
