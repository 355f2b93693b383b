"""Writing to the ledger for as long as it takes: a transcript is not thrown away because the database is locked."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from jobs.outage import Outage
from storage.errors import DatabaseFault

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0

Result = TypeVar("Result")


async def persistently(write: Callable[[], Awaitable[Result]], outage: Outage | None = None) -> Result:
    """Do `write` until the database takes it. Writers that share an `outage` log it once for all of them."""
    outage = outage or Outage("ledger")
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            written = await write()
        except DatabaseFault as fault:
            outage.goes_on(fault)
        else:
            outage.is_over()
            return written
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
