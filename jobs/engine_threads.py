"""Runs the blocking engine in threads, so that the event loop goes on renewing leases and heartbeats."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Collection
from functools import partial
from time import monotonic
from typing import Any, Literal, TypeVar

from engine import TranscriptionTimeout
from jobs.leases import LeaseLost

STOP_S = 3.0  # how long work may take to end after it was told to stop
TICK_S = 1.0

Result = TypeVar("Result")


class EngineThreads:
    """Runs calls to the engine, each in a thread of its own; `is_stuck` once one did not stop when told to."""

    def __init__(self) -> None:
        """Start with no call running."""
        self.is_stuck = False
        self._running: dict[asyncio.Future[Any], Callable[[], float | None]] = {}

    async def run(
        self,
        work: Callable[[threading.Event], Result],
        *,
        limit_s: float,
        lost: asyncio.Event,
        running_s: Callable[[threading.Event], float | None] = lambda _: 0.0,
    ) -> Result:
        """Run `work` to its end in a thread; set the event that it is given when the result is no longer wanted.

        Work that does not stop within `STOP_S` then counts as stuck. `running_s`, called with that event, returns for
        how long its own turn at the model has lasted, None while it waits for one. Waiting does not count towards
        `limit_s`; time in which several run is divided among them, but each has used at least its own turn: what is
        fast enough alone is not too slow because it shares the machine, and what hangs shares with nobody.

        Raises:
            TranscriptionTimeout: it did not finish within `limit_s`.
            LeaseLost: `lost` was set.
        """
        stop = threading.Event()
        future = run_in_thread(lambda: work(stop))
        self._running[future] = own_turn_s = partial(running_s, stop)
        future.add_done_callback(self._running.pop)
        losing = asyncio.create_task(lost.wait())
        futures: tuple[asyncio.Future[Result] | asyncio.Task[Literal[True]], ...] = (future, losing)
        try:
            await self._wait_for_any(futures, limit_s, own_turn_s)
        finally:  # a cancelled caller does not wait: the note can be handed back while the engine still stops
            losing.cancel()
            stop.set()
        if future.done():
            return future.result()
        await asyncio.wait({future}, timeout=STOP_S)
        self.is_stuck = self.is_stuck or not future.done()
        if lost.is_set():
            raise LeaseLost
        raise TranscriptionTimeout(limit_s=round(limit_s) if limit_s >= 1 else limit_s)

    async def wait_idle(self) -> None:
        """Wait until no call runs, for at most `STOP_S`."""
        if self._running:
            await asyncio.wait(self._running, timeout=STOP_S)
        self.is_stuck = bool(self._running)

    async def _wait_for_any(
        self, futures: Collection[asyncio.Future[Any]], limit_s: float, running_s: Callable[[], float | None]
    ) -> None:
        used_s = 0.0
        while used_s < limit_s and not any(future.done() for future in futures):
            began = monotonic()
            tick_s = min(TICK_S, (limit_s - used_s) * self._running_count())
            await asyncio.wait(futures, timeout=tick_s, return_when=asyncio.FIRST_COMPLETED)
            if (turn := running_s()) is not None:
                used_s = max(used_s + (monotonic() - began) / self._running_count(), turn)

    def _running_count(self) -> int:
        return max(1, sum(running_s() is not None for running_s in self._running.values()))


def run_in_thread(work: Callable[[], Result]) -> asyncio.Future[Result]:
    """Run `work` in a new daemon thread, which does not keep the process from ending."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def settle_from_thread(settle: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits for the result any more
            loop.call_soon_threadsafe(lambda: None if future.done() else settle())

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - the waiting caller gets whatever it is
            settle_from_thread(partial(future.set_exception, error))
        else:
            settle_from_thread(partial(future.set_result, result))

    future.add_done_callback(_retrieve_exception)
    threading.Thread(target=run, name="engine", daemon=True).start()
    return future


def _retrieve_exception(future: asyncio.Future[Result]) -> None:
    """Retrieve the exception, so that asyncio does not log that nobody did."""
    if not future.cancelled():
        future.exception()
