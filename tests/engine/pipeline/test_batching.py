import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from hypothesis import given, strategies as st

from engine.pipeline.batching import Batcher, Limits, plan

LIMITS = st.builds(Limits, window_s=st.just(0.0), most=st.integers(0, 60), shortest=st.floats(0, 1))
LENGTHS = st.lists(st.integers(1, 30), max_size=20)


@given(LENGTHS, LIMITS)
def test_every_question_is_in_one_batch(lengths: list[int], limits: Limits) -> None:
    assert sorted(number for batch in plan(lengths, limits) for number in batch) == list(range(len(lengths)))


@given(LENGTHS, LIMITS)
def test_no_batch_is_longer_than_allowed_but_for_one_question_alone(lengths: list[int], limits: Limits) -> None:
    for batch in plan(lengths, limits):
        assert len(batch) == 1 or len(batch) * max(lengths[number] for number in batch) <= limits.most


@given(LENGTHS, LIMITS)
def test_a_batch_holds_only_what_is_of_similar_length(lengths: list[int], limits: Limits) -> None:
    for batch in plan(lengths, limits):
        longest = max(lengths[number] for number in batch)
        assert min(lengths[number] for number in batch) >= min(longest, limits.shortest * longest)


@given(LENGTHS)
def test_without_limits_there_is_one_batch(lengths: list[int]) -> None:
    assert len(list(plan(lengths, Limits(window_s=0, most=10_000, shortest=0)))) == bool(lengths)


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
def batcher(answering: Answering, *, most: int = 100, shortest: float = 0.5) -> Iterator[Batcher[str, int]]:
    limits = Limits(window_s=0.0, most=most, shortest=shortest)
    made = Batcher(answering, length=len, limits=limits)
    try:
        yield made
    finally:
        answering.may_begin.set()
        made.close()


def test_what_comes_while_it_works_is_answered_together() -> None:
    answering = Answering()
    with batcher(answering) as asked:
        first = asked.ask("a")
        assert answering.began.wait(30)
        others = [asked.ask(word) for word in ("four", "three", "ten")]
        answering.may_begin.set()
        assert first.result(30) == 1
        assert [other.result(30) for other in others] == [4, 5, 3]
    assert answering.batches == [["a"], ["three", "four", "ten"]]


def test_a_window_gathers_what_comes_a_little_later() -> None:
    answering = Answering()
    answering.may_begin.set()
    made = Batcher(answering, length=len, limits=Limits(window_s=60.0, most=8, shortest=0.5))
    assert [future.result(30) for future in [made.ask("four"), made.ask("five")]] == [4, 4]
    assert answering.batches == [["four", "five"]]
    last = made.ask("six")
    made.close()
    assert last.result(0) == 3


def test_a_failure_goes_to_those_of_its_batch_alone() -> None:
    answering = Answering()
    with batcher(answering, shortest=1.0) as asked:
        held = asked.ask("held up")
        assert answering.began.wait(30)
        futures = {word: asked.ask(word) for word in ("bad", "ill", "well")}
        answering.may_begin.set()
        assert held.result(30) == 7
        assert futures["well"].result(30) == 4
        for word in ("bad", "ill"):
            assert isinstance(futures[word].exception(30), ValueError)
        assert asked.ask("again").result(30) == 5


def test_what_is_cancelled_in_time_is_not_answered() -> None:
    answering = Answering()
    with batcher(answering) as asked:
        asked.ask("first")
        assert answering.began.wait(30)
        cancelled = asked.ask("cancelled")
        assert cancelled.cancel()
        answering.may_begin.set()
        assert asked.ask("next").result(30) == 4
        with pytest.raises(CancelledError):
            cancelled.result(30)
    assert all("cancelled" not in batch for batch in answering.batches)


def test_each_of_many_threads_has_its_own_answer() -> None:
    answering = Answering()
    answering.may_begin.set()
    words = ["x" * (1 + number % 9) for number in range(200)]

    def ask(word: str) -> int:
        future: Future[int] = asked.ask(word)
        return future.result(30)

    with batcher(answering, most=20) as asked, ThreadPoolExecutor(16) as threads:
        assert list(threads.map(ask, words)) == [len(word) for word in words]
    assert all(len(batch) * max(map(len, batch)) <= 20 for batch in answering.batches)
