"""Runs the engine in threads, so that the worker's loop goes on: leases and heartbeats never wait for a model."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Collection
from functools import partial
from time import monotonic
from typing import Any, Literal, TypeVar

from engine import TranscriptionTimeout

STOP_S = 3.0
TICK_S = 1.0

Result = TypeVar("Result")


class NoteLost(Exception):
    """The note is no longer this worker's: cancelled, deleted, or taken over."""


class EngineThreads:
    """Runs pieces of work, each in a thread of its own. `stuck` once a piece did not stop when told to."""

    def __init__(self) -> None:
        """Nothing runs yet."""
        self.stuck = False
        self._working: dict[asyncio.Future[Any], Callable[[], float | None]] = {}

    async def run(
        self,
        work: Callable[[threading.Event], Result],
        *,
        limit_s: float,
        lost: asyncio.Event,
        patience_s: float = STOP_S,
        turn_s: Callable[[threading.Event], float | None] = lambda _: 0.0,
    ) -> Result:
        """Run `work` to its end; set the event that it is given when it is no longer wanted.

        `patience_s` is how long it may take to stop then, before it counts as stuck. `turn_s`, asked with that event,
        tells for how long a turn of its own has lasted, None while it waits for one. That time is not counted; of any
        other in which several work, each has used its share, and at least its turn: what is fast enough by itself is
        not too slow because it shares the machine, and what hangs has not shared it.

        Raises:
            TranscriptionTimeout: it was not done within `limit_s`.
            NoteLost: `lost` was set.
        """
        stop = threading.Event()
        future = in_thread(lambda: work(stop))
        self._working[future] = own_turn_s = partial(turn_s, stop)
        future.add_done_callback(self._working.pop)
        losing = asyncio.create_task(lost.wait())
        either: tuple[asyncio.Future[Result] | asyncio.Task[Literal[True]], ...] = (future, losing)
        try:
            await self._first_of(either, limit_s, own_turn_s)
        finally:  # who is cancelled does not wait: the note can be handed back while the engine still stops
            losing.cancel()
            stop.set()
        if future.done():
            return future.result()
        await asyncio.wait({future}, timeout=patience_s)
        self.stuck = self.stuck or not future.done()
        if lost.is_set():
            raise NoteLost
        raise TranscriptionTimeout(limit_s=round(limit_s) if limit_s >= 1 else limit_s)

    async def rest(self, patience_s: float = STOP_S) -> None:
        """Wait until nothing runs, for at most `patience_s`."""
        if self._working:
            await asyncio.wait(self._working, timeout=patience_s)
        self.stuck = bool(self._working)

    async def _first_of(
        self, either: Collection[asyncio.Future[Any]], limit_s: float, turn_s: Callable[[], float | None]
    ) -> None:
        used_s = 0.0
        while used_s < limit_s and not any(future.done() for future in either):
            began = monotonic()
            tick_s = min(TICK_S, (limit_s - used_s) * self._at_work())
            await asyncio.wait(either, timeout=tick_s, return_when=asyncio.FIRST_COMPLETED)
            if (turn := turn_s()) is not None:
                used_s = max(used_s + (monotonic() - began) / self._at_work(), turn)

    def _at_work(self) -> int:
        return max(1, sum(turn_s() is not None for turn_s in self._working.values()))


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
