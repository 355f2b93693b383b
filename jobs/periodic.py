"""Things that are done again and again for as long as a process lives, whatever fails meanwhile."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import structlog

from engine import Fault
from jobs.ending import end
from jobs.outage import Outage
from jobs.redis import TROUBLE

log = structlog.get_logger()


async def periodically(interval_s: float, step: Callable[[], Awaitable[object]], name: str) -> None:
    """Do `step` every `interval_s`, for ever. Trouble is logged when it begins and when it is over."""
    outage = Outage(name)
    while True:
        try:
            await step()
        except (*TROUBLE, Fault) as trouble:
            outage.goes_on(trouble)
        except Exception:
            log.exception("internal", doing=name)
        else:
            outage.is_over()
        await asyncio.sleep(interval_s)


@contextlib.asynccontextmanager
async def meanwhile(interval_s: float, step: Callable[[], Awaitable[object]], name: str) -> AsyncIterator[None]:
    """Do `step` every `interval_s` for as long as the block runs."""
    task = asyncio.create_task(periodically(interval_s, step, name))
    try:
        yield
    finally:
        await end(task)
