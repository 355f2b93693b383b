"""Collects the inputs of many threads into batches of similar length, for a GPU. Knows no audio: inputs have a length.

Inputs of a batch are padded to the longest, so a batch costs as much as if all were as long as that.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

Input = TypeVar("Input")
Output = TypeVar("Output")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLimits:
    """When an input joins a batch.

    The first input waits `window_s` seconds for others. `max_total` is the largest padded length of a batch: its
    longest input times their number. `min_length_ratio` is the smallest length of an input, as a share of the longest.
    """

    window_s: float
    max_total: int
    min_length_ratio: float


def plan_batches(lengths: Sequence[int], limits: BatchLimits) -> Iterator[list[int]]:
    """Group inputs of similar length, given as their indices; one that is longer than `max_total` goes alone."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        longest = lengths[batch[0]] if batch else lengths[index]
        if (len(batch) + 1) * longest > limits.max_total or lengths[index] < limits.min_length_ratio * longest:
            if batch:
                yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


class Batcher(Generic[Input, Output]):
    """Runs batches in a thread of its own. Any number of threads may submit inputs."""

    def __init__(
        self,
        run_batch: Callable[[list[Input]], Sequence[Output]],
        *,
        length: Callable[[Input], int],
        limits: BatchLimits,
    ) -> None:
        """Start the thread. `run_batch` gives the outputs of a batch in order; `length` measures an input."""
        self._run_batch = run_batch
        self._length = length
        self._limits = limits
        self._queue: queue.SimpleQueue[tuple[Input, Future[Output]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="batches", daemon=True)
        self._thread.start()

    def submit(self, item: Input) -> Future[Output]:
        """Give the future output, which can be cancelled until its batch starts, and raises what `run_batch` raises."""
        future: Future[Output] = Future()
        self._queue.put((item, future))
        return future

    def close(self) -> None:
        """Run what was submitted before, then end the thread. Submit nothing afterwards."""
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        while True:
            waiting, is_last = self._collect()
            for indices in plan_batches([self._length(item) for item, _ in waiting], self._limits):
                self._run([waiting[index] for index in indices])
            if is_last:
                return

    def _collect(self) -> tuple[list[tuple[Input, Future[Output]]], bool]:
        """Wait for an input, take all that come within `window_s`, and tell whether `close` was called."""
        collected: list[tuple[Input, Future[Output]]] = []
        found = self._queue.get()
        deadline = time.monotonic() + self._limits.window_s
        total = 0
        with suppress(queue.Empty):
            while found is not None:
                collected.append(found)
                total += self._length(found[0])
                if total >= self._limits.max_total:
                    return collected, False
                found = self._queue.get(timeout=max(0.0, deadline - time.monotonic()))
            return collected, True
        return collected, False

    def _run(self, batch: list[tuple[Input, Future[Output]]]) -> None:
        wanted = [(item, future) for item, future in batch if future.set_running_or_notify_cancel()]
        if not wanted:
            return
        try:
            outputs = self._run_batch([item for item, _ in wanted])
        except Exception as broken:  # noqa: BLE001 - whatever it is, `result` raises it
            for _, future in wanted:
                future.set_exception(broken)
        else:
            for (_, future), output in zip(wanted, outputs, strict=True):
                future.set_result(output)
