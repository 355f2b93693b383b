"""Threads that do the work of many at the same time: whoever has something to do gets a turn after every other.

Knows no speech: what is done is a call with one item.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Generator, Hashable, Iterable
from concurrent.futures import Future, wait
from functools import partial
from typing import Generic, TypeVar

from engine.errors import Cancelled

LOOK_S = 0.2
PATIENCE_S = 120.0  # more than a slow model takes over a piece
REST_S = 8.0

Item = TypeVar("Item")
Result = TypeVar("Result")


class Turns(Generic[Item]):
    """The lines of many. The first of one line is taken, then that of the next, round and round."""

    def __init__(self) -> None:
        """Nobody has anything in line."""
        self._lines: dict[Hashable, deque[Item]] = {}

    def __bool__(self) -> bool:
        """Tell whether there is anything to take."""
        return bool(self._lines)

    def put(self, whose: Hashable, item: Item) -> None:
        """Put the item at the end of somebody's line; who had none comes after all others."""
        self._lines.setdefault(whose, deque()).append(item)

    def take(self) -> Item:
        """Take what is next."""
        whose = next(iter(self._lines))
        line = self._lines.pop(whose)
        item = line.popleft()
        if line:
            self._lines[whose] = line
        return item


class Crew:
    """At most `size` threads. They come when there is something to do, and go when there is nothing left."""

    def __init__(self, size: int) -> None:
        """Start nothing yet."""
        self._window = 2 * size + 1
        self._size = size
        self._lock = threading.Lock()
        self._turns: Turns[Callable[[], None]] = Turns()
        self._at_work = 0
        self._threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
        self._abandoned: deque[tuple[float, Callable[[], bool]]] = deque()
        weakref.finalize(self, _rest, self._threads)

    @property
    def is_stuck(self) -> bool:
        """Tell whether something is still being done that nobody has wanted for a long time."""
        while self._abandoned:
            since, has_ended = self._abandoned[0]
            if not has_ended():
                return time.monotonic() - since > PATIENCE_S
            self._abandoned.popleft()
        return False

    def done(
        self, work: Callable[[Item], Result], items: Iterable[Item], cancelled: threading.Event
    ) -> Generator[tuple[Item, Result], None, None]:
        """Do `work` with every item and give the results in order, while a few items ahead are being done already.

        What `work` raises comes out here, in its turn.

        Raises:
            Cancelled: `cancelled` was set. What is being done then ends by itself, and nobody waits for it.
        """
        whose = object()
        ahead: deque[tuple[Item, Future[Result]]] = deque()
        try:
            for item in items:
                ahead.append((item, self._ask(whose, partial(work, item))))
                while len(ahead) == self._window or (ahead and ahead[0][1].done()):
                    yield _first(ahead, cancelled)
            while ahead:
                yield _first(ahead, cancelled)
        finally:
            self._abandon(future for _, future in ahead)

    def _ask(self, whose: Hashable, work: Callable[[], Result]) -> Future[Result]:
        future: Future[Result] = Future()
        with self._lock:
            if self._at_work < self._size:
                thread = threading.Thread(target=self._work, name="crew", daemon=True)
                thread.start()
                self._threads.add(thread)
                self._at_work += 1
            self._turns.put(whose, partial(_do, work, future))
        return future

    def _abandon(self, futures: Iterable[Future[Result]]) -> None:
        now = time.monotonic()
        for future in futures:
            if not future.cancel() and not future.done():
                self._abandoned.append((now, future.done))

    def _work(self) -> None:
        while do := self._next():
            do()

    def _next(self) -> Callable[[], None] | None:
        with self._lock:
            if self._turns:
                return self._turns.take()
            self._at_work -= 1
            return None


def _rest(threads: Iterable[threading.Thread]) -> None:
    """Wait for threads at the end of the process: one that comes out of a network after Python is gone aborts it."""
    ends = time.monotonic() + REST_S
    for thread in set(threads) - {threading.current_thread()}:
        thread.join(max(0.0, ends - time.monotonic()))


def _do(work: Callable[[], Result], future: Future[Result]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001 - whatever it is belongs to whoever asked
        future.set_exception(error)
    else:
        future.set_result(result)


def _first(ahead: deque[tuple[Item, Future[Result]]], cancelled: threading.Event) -> tuple[Item, Result]:
    item, future = ahead[0]
    while not future.done():
        if cancelled.is_set():
            raise Cancelled
        wait([future], timeout=LOOK_S)
    ahead.popleft()
    return item, future.result()
