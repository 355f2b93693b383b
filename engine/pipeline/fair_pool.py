"""Bounded thread pool, round-robin across recordings. Knows nothing of speech: a task is a call with one item."""

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

POLL_S = 0.2
STUCK_AFTER_S = 120.0  # more than a slow model takes for a chunk
EXIT_WAIT_S = 8.0

Item = TypeVar("Item")
Result = TypeVar("Result")


class RoundRobinQueue(Generic[Item]):
    """A queue for each owner; `pop` takes the first item of one owner, then that of the next, and so on."""

    def __init__(self) -> None:
        """Create an empty queue."""
        self._queues: dict[Hashable, deque[Item]] = {}

    def __bool__(self) -> bool:
        """Tell whether there is an item."""
        return bool(self._queues)

    def put(self, owner: Hashable, item: Item) -> None:
        """Add an item to the owner's queue; a new owner comes after all others."""
        self._queues.setdefault(owner, deque()).append(item)

    def pop(self) -> Item:
        """Remove and give the next item."""
        owner = next(iter(self._queues))
        queue = self._queues.pop(owner)
        item = queue.popleft()
        if queue:
            self._queues[owner] = queue
        return item


class Task(Future[Result]):
    """A call that a thread of the pool makes, and its result."""

    def __init__(self, work: Callable[[], Result]) -> None:
        """Keep the call for `run`."""
        super().__init__()
        self._work = work
        self._started: float | None = None

    @property
    def running_s(self) -> float | None:
        """Seconds since the call started; None while it is queued."""
        return None if self._started is None else time.monotonic() - self._started

    def run(self) -> None:
        """Make the call, unless the task is cancelled."""
        if not self.set_running_or_notify_cancel():
            return
        self._started = time.monotonic()
        try:
            result = self._work()
        except BaseException as error:  # noqa: BLE001 - whatever it is, `result()` raises it for the caller
            self.set_exception(error)
        else:
            self.set_result(result)


class FairThreadPool:
    """At most `size` threads, started when there is work and ended when there is none."""

    def __init__(self, size: int) -> None:
        """Start no thread yet."""
        self._window = 2 * size + 1
        self._size = size
        self._lock = threading.Lock()
        self._queue: RoundRobinQueue[Task[Any]] = RoundRobinQueue()
        self._busy = 0
        self._threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
        self._abandoned: deque[tuple[float, Callable[[], bool]]] = deque()
        self._awaited: dict[threading.Event, Task[Any]] = {}
        weakref.finalize(self, _join_at_exit, self._threads)

    @property
    def is_stuck(self) -> bool:
        """Tell whether a task still runs whose caller was cancelled more than STUCK_AFTER_S ago."""
        with self._lock:
            while self._abandoned:
                since, has_ended = self._abandoned[0]
                if not has_ended():
                    return time.monotonic() - since > STUCK_AFTER_S
                self._abandoned.popleft()
            return False

    @property
    def is_blocked(self) -> bool:
        """Tell whether all threads run tasks of cancelled callers, so that nothing else can start."""
        with self._lock:
            return sum(not has_ended() for _, has_ended in self._abandoned) >= self._size

    def running_s(self, cancelled: threading.Event) -> float | None:
        """Give for how many seconds the task has run that the caller of `map_ordered` with this event waits for.

        None: the task is still queued. 0: the caller waits for none.
        """
        task = self._awaited.get(cancelled)
        return 0.0 if task is None or task.done() else task.running_s

    def map_ordered(
        self, work: Callable[[Item], Result], items: Iterable[Item | None], cancelled: threading.Event
    ) -> Generator[tuple[Item, Result], None, None]:
        """Call `work` with every item and give the results in order; a few items ahead are worked on meanwhile.

        An item None starts nothing: it only lets results that are ready come out. What `work` raises is raised here,
        in its order.

        Raises:
            Cancelled: `cancelled` was set. Tasks that run then end by themselves, and nobody waits for them.
        """
        owner = object()
        ahead: deque[tuple[Item, Task[Result]]] = deque()
        try:
            for item in items:
                if item is not None:
                    ahead.append((item, self._submit(owner, partial(work, item))))
                while len(ahead) == self._window or (ahead and ahead[0][1].done()):
                    yield self._first(ahead, cancelled)
            while ahead:
                yield self._first(ahead, cancelled)
        finally:
            self._awaited.pop(cancelled, None)
            self._abandon(task for _, task in ahead)

    def _first(self, ahead: deque[tuple[Item, Task[Result]]], cancelled: threading.Event) -> tuple[Item, Result]:
        item, task = ahead[0]
        self._awaited[cancelled] = task
        while not task.done():
            if cancelled.is_set():
                raise Cancelled
            wait([task], timeout=POLL_S)
        ahead.popleft()
        return item, task.result()

    def _submit(self, owner: Hashable, work: Callable[[], Result]) -> Task[Result]:
        task = Task(work)
        with self._lock:
            if self._busy < self._size:
                thread = threading.Thread(target=self._work, name="recognition", daemon=True)
                thread.start()
                self._threads.add(thread)
                self._busy += 1
            self._queue.put(owner, task)
        return task

    def _abandon(self, tasks: Iterable[Task[Result]]) -> None:
        now = time.monotonic()
        with self._lock:
            self._abandoned.extend((now, task.done) for task in tasks if not task.cancel() and not task.done())

    def _work(self) -> None:
        while task := self._next():
            task.run()

    def _next(self) -> Task[Any] | None:
        with self._lock:
            if self._queue:
                return self._queue.pop()
            self._busy -= 1
            return None


def _join_at_exit(threads: Iterable[threading.Thread]) -> None:
    """Wait for threads at the end of the process: one that returns from a network after Python is gone aborts it."""
    deadline = time.monotonic() + EXIT_WAIT_S
    for thread in set(threads) - {threading.current_thread()}:
        thread.join(max(0.0, deadline - time.monotonic()))
