"""Gathers what many threads ask for at the same time into batches, for what likes many questions at once: a GPU.

Knows no sound: a question has a length, and a batch costs as much as if all in it were as long as the longest.
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

Question = TypeVar("Question")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How batches are made.

    `window_s` is how long the first question waits for others; `most` is how long a batch may be, all its questions
    taken as long as the longest; `shortest` is how long a question has to be at least, as part of the longest.
    """

    window_s: float
    most: int
    shortest: float


def plan(lengths: Sequence[int], limits: Limits) -> Iterator[list[int]]:
    """Put questions of similar length together, by their numbers; one that is too long for all limits goes alone."""
    batch: list[int] = []
    for number in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        longest = lengths[batch[0]] if batch else lengths[number]
        if (len(batch) + 1) * longest > limits.most or lengths[number] < limits.shortest * longest:
            if batch:
                yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch


class Batcher(Generic[Question, Answer]):
    """Answers in batches, in a thread of its own. Any number of threads may ask."""

    def __init__(
        self,
        answer: Callable[[list[Question]], Sequence[Answer]],
        *,
        length: Callable[[Question], int],
        limits: Limits,
    ) -> None:
        """Take what answers a whole batch, in its order, and what tells how long a question is."""
        self._answer = answer
        self._length = length
        self._limits = limits
        self._waiting: queue.SimpleQueue[tuple[Question, Future[Answer]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="batches", daemon=True)
        self._thread.start()

    def ask(self, question: Question) -> Future[Answer]:
        """Give the future answer. It can be cancelled until its batch begins; what breaks a batch is raised for it."""
        answer: Future[Answer] = Future()
        self._waiting.put((question, answer))
        return answer

    def close(self) -> None:
        """Answer what was asked before, then end. Ask nothing afterwards."""
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        while True:
            asked, is_last = self._gathered()
            for numbers in plan([self._length(question) for question, _ in asked], self._limits):
                self._answer_batch([asked[number] for number in numbers])
            if is_last:
                return

    def _gathered(self) -> tuple[list[tuple[Question, Future[Answer]]], bool]:
        """Wait for a question, take those that wait beside it or come a moment later; tell whether no more will."""
        gathered: list[tuple[Question, Future[Answer]]] = []
        found = self._waiting.get()
        ends_at = time.monotonic() + self._limits.window_s
        total = 0
        with suppress(queue.Empty):
            while found is not None:
                gathered.append(found)
                total += self._length(found[0])
                if total >= self._limits.most:
                    return gathered, False
                found = self._waiting.get(timeout=max(0.0, ends_at - time.monotonic()))
            return gathered, True
        return gathered, False

    def _answer_batch(self, batch: list[tuple[Question, Future[Answer]]]) -> None:
        wanted = [(question, answer) for question, answer in batch if answer.set_running_or_notify_cancel()]
        if not wanted:
            return
        try:
            answers = self._answer([question for question, _ in wanted])
        except Exception as broken:  # noqa: BLE001 - whatever it is, it belongs to those who asked
            for _, future in wanted:
                future.set_exception(broken)
        else:
            for (_, future), answer in zip(wanted, answers, strict=True):
                future.set_result(answer)
