"""Runs the engine in a thread, so that the worker's loop goes on: leases and heartbeats never wait for a model."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, TypeVar

from engine.errors import TooSlow

STOP_S = 3.0

Result = TypeVar("Result")


class NoteLost(Exception):
    """The note is no longer this worker's: cancelled, deleted, or taken over."""


class EngineThread:
    """Runs one piece of work at a time. `stuck` once a piece did not stop when told to."""

    def __init__(self) -> None:
        """Nothing runs yet."""
        self.stuck = False
        self._working: asyncio.Future[Any] | None = None

    async def run(
        self,
        work: Callable[[threading.Event], Result],
        *,
        limit_s: float,
        lost: asyncio.Event,
        patience_s: float = STOP_S,
    ) -> Result:
        """Run `work` to its end; set the event that it is given when it is no longer wanted.

        `patience_s` is how long it may take to stop then, before it counts as stuck.

        Raises:
            TooSlow: it was not done within `limit_s`.
            NoteLost: `lost` was set.
        """
        stop = threading.Event()
        self._working = future = in_thread(lambda: work(stop))
        losing = asyncio.create_task(lost.wait())
        either: tuple[asyncio.Future[Result] | asyncio.Task[Literal[True]], ...] = (future, losing)
        try:
            await asyncio.wait(either, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        finally:  # who is cancelled does not wait: the note can be handed back while the engine still stops
            losing.cancel()
            stop.set()
        in_time = future.done()
        await self.rest(patience_s)
        if in_time:
            return future.result()
        if lost.is_set():
            raise NoteLost
        raise TooSlow(limit_s=round(limit_s) if limit_s >= 1 else limit_s)

    async def rest(self, patience_s: float = STOP_S) -> None:
        """Wait until nothing runs, for at most `patience_s`."""
        if self._working is not None:
            await asyncio.wait({self._working}, timeout=patience_s)
            self.stuck = not self._working.done()


def in_thread(work: Callable[[], Result]) -> asyncio.Future[Result]:
    """Run `work` in a thread of its own, which does not keep the process from ending."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def tell(settle: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(lambda: None if future.done() else settle())

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - whatever it is belongs to whoever waits
            tell(partial(future.set_exception, error))
        else:
            tell(partial(future.set_result, result))

    future.add_done_callback(_seen)
    threading.Thread(target=run, name="engine", daemon=True).start()
    return future


def _seen(future: asyncio.Future[Result]) -> None:
    """Look at the outcome, so that an abandoned one raises no complaint."""
    if not future.cancelled():
        future.exception()
