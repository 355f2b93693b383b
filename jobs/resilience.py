"""Keeps work going through outages: retries, periodic tasks, cancellation that cannot be swallowed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import structlog

from engine import Fault
from jobs.redis import REDIS_ERRORS
from jobs.redis_refusals import refusal
from storage.errors import DatabaseFault

CANCEL_AGAIN_S = 1.0
FIRST_PAUSE_S = 0.2
MAX_PAUSE_S = 5.0

Result = TypeVar("Result")

log = structlog.get_logger()


class Outage:
    """Logs an outage twice, however many attempts fail: when it begins and when it is over."""

    def __init__(self, doing: str) -> None:
        """Start with `doing`, the name of the activity in the log, as working."""
        self._doing = doing
        self._is_ongoing = False

    def report_failure(self, error: BaseException, **hints: str) -> None:
        """Log `error` and the hints if the outage begins with it; a Redis that refuses us is told as such."""
        if not self._is_ongoing:
            refused = refusal(error)
            tell = log.error if refused else log.warning
            tell("trouble", doing=self._doing, error=str(refused or error) or repr(error), **hints)
        self._is_ongoing = True

    def report_success(self) -> None:
        """Log the end of the outage, if there was one."""
        if self._is_ongoing:
            log.info("trouble_over", doing=self._doing)
        self._is_ongoing = False


async def retry_until_written(write: Callable[[], Awaitable[Result]], outage: Outage | None = None) -> Result:
    """Call `write` until the database takes it, with growing pauses; a locked database must not cost a transcript.

    Writers that share an `outage` log it once for all of them.
    """
    outage = outage or Outage("ledger")
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            written = await write()
        except DatabaseFault as fault:
            outage.report_failure(fault)
        else:
            outage.report_success()
            return written
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, MAX_PAUSE_S)


async def run_periodically(interval_s: float, step: Callable[[], Awaitable[object]], name: str) -> None:
    """Run `step` every `interval_s`, for ever, whatever it raises; an outage is logged once."""
    outage = Outage(name)
    while True:
        try:
            await step()
        except (*REDIS_ERRORS, Fault) as error:
            outage.report_failure(error)
        except Exception:
            log.exception("internal", doing=name)
        else:
            outage.report_success()
        await asyncio.sleep(interval_s)


@contextlib.asynccontextmanager
async def running_periodically(
    interval_s: float, step: Callable[[], Awaitable[object]], name: str
) -> AsyncIterator[None]:
    """Run `step` every `interval_s` for as long as the block runs."""
    task = asyncio.create_task(run_periodically(interval_s, step, name))
    try:
        yield
    finally:
        await cancel_and_wait(task)


async def cancel_and_wait(*tasks: asyncio.Task[object]) -> None:
    """Cancel tasks repeatedly until all have ended; their exceptions stay in them.

    One cancellation is not enough: redis-py sends with `asyncio.wait_for`, which in Python 3.11 can swallow it.
    """
    while running := {task for task in tasks if not task.done()}:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=CANCEL_AGAIN_S)
