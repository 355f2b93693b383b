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
from typing import Any, Generic, TypeVar

from engine.errors import Cancelled

LOOK_S = 0.2
PATIENCE_S = 120.0  # more than a slow model takes over a piece
REST_S = 8.0

Item = TypeVar("Item")
Result = TypeVar("Result")


class RoundRobinQueue(Generic[Item]):
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


class Task(Future[Result]):
    """One's turn to have something done, and what comes of it."""

    def __init__(self, work: Callable[[], Result]) -> None:
        """Wait for it."""
        super().__init__()
        self._work = work
        self._began: float | None = None

    @property
    def lasted_s(self) -> float | None:
        """For how long it has been going on; None before it begins."""
        return None if self._began is None else time.monotonic() - self._began

    def take(self) -> None:
        """Do the work, unless nobody wants it any more."""
        if not self.set_running_or_notify_cancel():
            return
        self._began = time.monotonic()
        try:
            result = self._work()
        except BaseException as error:  # noqa: BLE001 - whatever it is belongs to whoever asked
            self.set_exception(error)
        else:
            self.set_result(result)


class FairThreadPool:
    """At most `size` threads. They come when there is something to do, and go when there is nothing left."""

    def __init__(self, size: int) -> None:
        """Start nothing yet."""
        self._window = 2 * size + 1
        self._size = size
        self._lock = threading.Lock()
        self._turns: RoundRobinQueue[Task[Any]] = RoundRobinQueue()
        self._at_work = 0
        self._threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
        self._abandoned: deque[tuple[float, Callable[[], bool]]] = deque()
        self._awaited: dict[threading.Event, Task[Any]] = {}
        weakref.finalize(self, _rest, self._threads)

    @property
    def is_stuck(self) -> bool:
        """Tell whether something is still being done that nobody has wanted for a long time."""
        with self._lock:
            while self._abandoned:
                since, has_ended = self._abandoned[0]
                if not has_ended():
                    return time.monotonic() - since > PATIENCE_S
                self._abandoned.popleft()
            return False

    @property
    def is_blocked(self) -> bool:
        """Tell whether all threads are at what nobody wants any more, so that nothing else has its turn."""
        with self._lock:
            return sum(not has_ended() for _, has_ended in self._abandoned) >= self._size

    def running_s(self, cancelled: threading.Event) -> float | None:
        """Tell for how long the item that is waited for has been worked on, by whom `cancelled` stops.

        None: it waits for its turn. 0: none is waited for.
        """
        turn = self._awaited.get(cancelled)
        return 0.0 if turn is None or turn.done() else turn.lasted_s

    def done(
        self, work: Callable[[Item], Result], items: Iterable[Item | None], cancelled: threading.Event
    ) -> Generator[tuple[Item, Result], None, None]:
        """Do `work` with every item and give the results in order, while a few items ahead are being done already.

        What `work` raises comes out here, in its turn. None among the items only gives time to look what is done.

        Raises:
            Cancelled: `cancelled` was set. What is being done then ends by itself, and nobody waits for it.
        """
        whose = object()
        ahead: deque[tuple[Item, Task[Result]]] = deque()
        try:
            for item in items:
                if item is not None:
                    ahead.append((item, self._ask(whose, partial(work, item))))
                while len(ahead) == self._window or (ahead and ahead[0][1].done()):
                    yield self._first(ahead, cancelled)
            while ahead:
                yield self._first(ahead, cancelled)
        finally:
            self._awaited.pop(cancelled, None)
            self._abandon(turn for _, turn in ahead)

    def _first(self, ahead: deque[tuple[Item, Task[Result]]], cancelled: threading.Event) -> tuple[Item, Result]:
        item, turn = ahead[0]
        self._awaited[cancelled] = turn
        while not turn.done():
            if cancelled.is_set():
                raise Cancelled
            wait([turn], timeout=LOOK_S)
        ahead.popleft()
        return item, turn.result()

    def _ask(self, whose: Hashable, work: Callable[[], Result]) -> Task[Result]:
        turn = Task(work)
        with self._lock:
            if self._at_work < self._size:
                thread = threading.Thread(target=self._work, name="crew", daemon=True)
                thread.start()
                self._threads.add(thread)
                self._at_work += 1
            self._turns.put(whose, turn)
        return turn

    def _abandon(self, turns: Iterable[Task[Result]]) -> None:
        now = time.monotonic()
        with self._lock:
            self._abandoned.extend((now, turn.done) for turn in turns if not turn.cancel() and not turn.done())

    def _work(self) -> None:
        while turn := self._next():
            turn.take()

    def _next(self) -> Task[Any] | None:
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
