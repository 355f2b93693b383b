"""A process's leases on notes in the ledger, which decides who may answer: one heartbeat renews all of them.

The leases in Redis, where other workers look first, are renewed by `LeasedWorker`: a database that is locked must not
cost those, nor a silent Redis these.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from time import monotonic
from typing import TypeVar

from jobs.resilience import cancel_and_wait, run_periodically
from storage.ledger import Ledger
from storage.note import Note
from storage.states import HOLD_S

LEASE_S = HOLD_S + 2  # whoever picks a dead worker's job must find the ledger's hold to be over as well
RENEW_S = 3.0
WATCH_S = 1.0
DOUBT_S = 1.0  # how long before its end a lease that could not be renewed no longer counts

Result = TypeVar("Result")


class LeaseLost(Exception):
    """The note is no longer this process's: it was cancelled, deleted, or taken over."""


class Lease:
    """The right to work on one note. `lost` is set when the note is no longer ours."""

    def __init__(self, note: Note, since: float) -> None:
        """Hold `note`, which was claimed or renewed after `since`, in seconds of the monotonic clock."""
        self.key = note.id, note.fence
        self.since = since
        self.lost = asyncio.Event()

    async def unless_lost(self, work: Awaitable[Result]) -> Result:
        """Await `work`, but cancel it at once when the lease is lost.

        Raises:
            LeaseLost: it was.
        """
        return await _unless(self.lost.wait(), work)

    async def while_certain(self, tell: Callable[[], Awaitable[Result]]) -> Result:
        """Await `tell()`, which others will see, but cancel it also when another worker may soon claim the note.

        Raises:
            LeaseLost: the lease was lost, or could not be renewed in time.
        """
        if self.lost.is_set() or self._certain_s() <= 0:
            raise LeaseLost
        return await _unless(self._until_doubtful(), tell())

    async def _until_doubtful(self) -> None:
        while (left_s := self._certain_s()) > 0 and not self.lost.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self.lost.wait()

    def _certain_s(self) -> float:
        return self.since + HOLD_S - DOUBT_S - monotonic()


class Leases:
    """All leases of a process. The heartbeat runs as long as there are any."""

    def __init__(self, ledger: Ledger) -> None:
        """Hold notes of `ledger`."""
        self._ledger = ledger
        self._held: set[Lease] = set()
        self._beating: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def hold(self, note: Note, since: float) -> AsyncIterator[Lease]:
        """Renew the lease on a note, and watch for its loss, while the block runs; arguments as for `Lease`."""
        lease = Lease(note, since)
        self._held.add(lease)
        self._beating = self._beating or asyncio.create_task(self._beat())
        try:
            yield lease
        finally:
            self._held.discard(lease)
            if not self._held:
                beating, self._beating = self._beating, None
                await cancel_and_wait(beating)

    async def _beat(self) -> None:
        await asyncio.sleep(min(WATCH_S, RENEW_S))  # what has just been claimed needs no heartbeat
        await run_periodically(min(WATCH_S, RENEW_S), self._renew_or_watch, "hold")

    async def _renew_or_watch(self) -> None:
        leases, began = [*self._held], monotonic()
        keys = {lease.key for lease in leases}
        is_due = min(lease.since for lease in leases) + RENEW_S <= began
        owned = await (self._ledger.renew(keys) if is_due else self._ledger.owned(keys))
        for lease in leases:
            if lease.key not in owned:
                lease.lost.set()
            elif is_due:
                lease.since = began


async def _unless(event: Coroutine[object, object, object], work: Awaitable[Result]) -> Result:
    working, waiting = asyncio.ensure_future(work), asyncio.create_task(event)
    try:
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
    finally:
        for task in (working, waiting):
            task.cancel()
        await asyncio.gather(working, waiting, return_exceptions=True)
    raise LeaseLost
