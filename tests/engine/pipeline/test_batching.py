import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from hypothesis import given, strategies as st

from engine.pipeline.batching import Batcher, BatchLimits, plan_batches

LIMITS = st.builds(BatchLimits, window_s=st.just(0.0), max_total=st.integers(0, 60), min_length_ratio=st.floats(0, 1))
LENGTHS = st.lists(st.integers(1, 30), max_size=20)


@given(LENGTHS, LIMITS)
def test_every_input_is_in_one_batch(lengths: list[int], limits: BatchLimits) -> None:
    assert sorted(number for batch in plan_batches(lengths, limits) for number in batch) == list(range(len(lengths)))


@given(LENGTHS, LIMITS)
def test_no_batch_is_longer_than_allowed_except_a_single_input(lengths: list[int], limits: BatchLimits) -> None:
    for batch in plan_batches(lengths, limits):
        assert len(batch) == 1 or len(batch) * max(lengths[number] for number in batch) <= limits.max_total


@given(LENGTHS, LIMITS)
def test_a_batch_holds_only_inputs_of_similar_length(lengths: list[int], limits: BatchLimits) -> None:
    for batch in plan_batches(lengths, limits):
        longest = max(lengths[number] for number in batch)
        assert min(lengths[number] for number in batch) >= min(longest, limits.min_length_ratio * longest)


@given(LENGTHS)
def test_without_limits_there_is_one_batch(lengths: list[int]) -> None:
    assert len(list(plan_batches(lengths, BatchLimits(window_s=0, max_total=10_000, min_length_ratio=0)))) == bool(
        lengths
    )


class Answering:
    """Answers words with their length, notes its batches, and waits to begin until it may."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.may_begin = threading.Event()
        self.began = threading.Event()

    def __call__(self, words: list[str]) -> list[int]:
        self.batches.append(words)
        self.began.set()
        assert self.may_begin.wait(30)
        if "bad" in words:
            raise ValueError(*words)
        return [len(word) for word in words]


@contextmanager
def batcher(
    answering: Answering, *, max_total: int = 100, min_length_ratio: float = 0.5
) -> Iterator[Batcher[str, int]]:
    limits = BatchLimits(window_s=0.0, max_total=max_total, min_length_ratio=min_length_ratio)
    made = Batcher(answering, length=len, limits=limits)
    try:
        yield made
    finally:
        answering.may_begin.set()
        made.close()


def test_inputs_that_come_during_a_batch_are_the_next_batch() -> None:
    answering = Answering()
    with batcher(answering) as asked:
        first = asked.submit("a")
        assert answering.began.wait(30)
        others = [asked.submit(word) for word in ("four", "three", "ten")]
        answering.may_begin.set()
        assert first.result(30) == 1
        assert [other.result(30) for other in others] == [4, 5, 3]
    assert answering.batches == [["a"], ["three", "four", "ten"]]


def test_a_window_collects_inputs_that_come_a_little_later() -> None:
    answering = Answering()
    answering.may_begin.set()
    made = Batcher(answering, length=len, limits=BatchLimits(window_s=60.0, max_total=8, min_length_ratio=0.5))
    assert [future.result(30) for future in [made.submit("four"), made.submit("five")]] == [4, 4]
    assert answering.batches == [["four", "five"]]
    last = made.submit("six")
    made.close()
    assert last.result(0) == 3


def test_a_failure_is_raised_for_the_inputs_of_its_batch_only() -> None:
    answering = Answering()
    with batcher(answering, min_length_ratio=1.0) as asked:
        held = asked.submit("held up")
        assert answering.began.wait(30)
        futures = {word: asked.submit(word) for word in ("bad", "ill", "well")}
        answering.may_begin.set()
        assert held.result(30) == 7
        assert futures["well"].result(30) == 4
        for word in ("bad", "ill"):
            assert isinstance(futures[word].exception(30), ValueError)
        assert asked.submit("again").result(30) == 5


def test_an_input_that_is_cancelled_in_time_is_not_run() -> None:
    answering = Answering()
    with batcher(answering) as asked:
        asked.submit("first")
        assert answering.began.wait(30)
        cancelled = asked.submit("cancelled")
        assert cancelled.cancel()
        answering.may_begin.set()
        assert asked.submit("next").result(30) == 4
        with pytest.raises(CancelledError):
            cancelled.result(30)
    assert all("cancelled" not in batch for batch in answering.batches)


def test_each_of_many_threads_has_its_own_output() -> None:
    answering = Answering()
    answering.may_begin.set()
    words = ["x" * (1 + number % 9) for number in range(200)]

    def ask(word: str) -> int:
        future: Future[int] = asked.submit(word)
        return future.result(30)

    with batcher(answering, max_total=20) as asked, ThreadPoolExecutor(16) as threads:
        assert list(threads.map(ask, words)) == [len(word) for word in words]
    assert all(len(batch) * max(map(len, batch)) <= 20 for batch in answering.batches)
