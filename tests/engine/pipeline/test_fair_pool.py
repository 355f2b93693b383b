import threading
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, strategies as st

from engine.errors import Cancelled
from engine.pipeline import fair_pool as module
from engine.pipeline.fair_pool import FairThreadPool, RoundRobinQueue

ANSWER_S = 10

lines = st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=60)


@given(lines)
def test_turns_lose_nothing_and_keep_everybody_s_order(steps: list[tuple[str, bool]]) -> None:
    turns: RoundRobinQueue[tuple[str, int]] = RoundRobinQueue()
    taken = []
    for number, (whose, takes) in enumerate(steps):
        turns.put(whose, (whose, number))
        if takes:
            taken.append(turns.take())
    while turns:
        taken.append(turns.take())
    for person in "abcd":
        put = [(whose, number) for number, (whose, _) in enumerate(steps) if whose == person]
        assert [item for item in taken if item[0] == person] == put


@given(lines)
def test_between_two_turns_of_one_everybody_else_has_at_most_one(steps: list[tuple[str, bool]]) -> None:
    turns: RoundRobinQueue[str] = RoundRobinQueue()
    waiting = dict.fromkeys("abcd", 0)
    since = {person: dict.fromkeys("abcd", 0) for person in "abcd"}
    for whose, takes in steps:
        turns.put(whose, whose)
        if waiting[whose] == 0:
            since[whose] = dict.fromkeys("abcd", 0)
        waiting[whose] += 1
        if takes:
            taken = turns.take()
            waiting[taken] -= 1
            since[taken] = dict.fromkeys("abcd", 0)
            for person in "abcd":
                since[person][taken] += 1
                assert not waiting[person] or person == taken or since[person][taken] <= 1


@given(st.integers(1, 4), st.lists(st.integers(), max_size=50))
def test_all_is_done_in_order(size: int, items: list[int]) -> None:
    done = list(FairThreadPool(size).done(lambda item: item + 1, items, threading.Event()))
    assert done == [(item, item + 1) for item in items]


def test_what_is_done_is_given_though_nothing_else_is_there_to_do_yet() -> None:
    given: list[tuple[int, int]] = []

    def items() -> Iterator[int | None]:
        yield 1
        for _ in range(ANSWER_S * 100):
            if not given:
                time.sleep(0.01)
                yield None
        assert given

    for found in FairThreadPool(1).done(lambda item: item + 1, items(), threading.Event()):
        given.append(found)  # noqa: PERF402 - to be seen at once
    assert given == [(1, 2)]


def test_as_many_as_the_crew_work_at_the_same_time() -> None:
    together = threading.Barrier(3)
    assert len(list(FairThreadPool(3).done(lambda _: together.wait(ANSWER_S), range(6), threading.Event()))) == 6


def test_no_more_than_a_few_are_taken_ahead_of_who_does_not_look_at_the_results() -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for number in range(1_000):
            taken = number
            yield number

    done = FairThreadPool(2).done(lambda item: item, items(), threading.Event())
    for expected in range(100):
        assert next(done) == (expected, expected)
        assert taken <= expected + 5


def test_a_short_one_has_its_turn_while_a_long_one_is_being_done() -> None:
    crew = FairThreadPool(1)
    order: list[str] = []
    first, go_on = threading.Event(), threading.Event()

    def work(item: str) -> None:
        first.set()
        go_on.wait(ANSWER_S)
        order.append(item)

    def do(items: list[str]) -> threading.Thread:
        thread = threading.Thread(target=lambda: list(crew.done(work, items, threading.Event())))
        thread.start()
        return thread

    long = do(["long"] * 20)
    assert first.wait(ANSWER_S)
    short = do(["short"])
    while sum(map(len, crew._turns._lines.values())) < 3:  # noqa: SLF001 - what waits: two of the long one and the short
        time.sleep(0.001)
    go_on.set()
    long.join()
    short.join()
    assert order.index("short") <= 2
    assert order.count("long") == 20


def test_what_fails_fails_in_its_turn_and_for_nobody_else() -> None:
    crew = FairThreadPool(2)
    others = crew.done(lambda item: item, range(10), threading.Event())
    assert next(others) == (0, 0)
    failing = crew.done(lambda item: 1 // (3 - item), range(10), threading.Event())
    assert [item for item, _ in (next(failing), next(failing), next(failing))] == [0, 1, 2]
    with pytest.raises(ZeroDivisionError):
        next(failing)
    assert [item for item, _ in others] == list(range(1, 10))


def test_a_time_out_in_the_work_is_the_works_own() -> None:
    def work(_: int) -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        list(FairThreadPool(1).done(work, [1], threading.Event()))


def test_who_is_cancelled_waits_neither_for_a_turn_nor_for_what_is_being_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    crew, cancelled, begun, release = FairThreadPool(1), threading.Event(), threading.Event(), threading.Event()
    read: list[int] = []

    def work(item: int) -> None:
        read.append(item)
        begun.set()
        cancelled.set()
        release.wait(ANSWER_S)

    with pytest.raises(Cancelled):
        list(crew.done(work, range(10), cancelled))
    with pytest.raises(Cancelled):
        list(crew.done(work, range(10), cancelled))  # never has its turn
    assert read == [0]
    assert crew.is_blocked
    assert not crew.is_stuck
    monkeypatch.setattr(module, "PATIENCE_S", -1.0)
    assert crew.is_stuck
    release.set()
    assert list(crew.done(lambda item: item, [5], threading.Event())) == [(5, 5)]
    assert not crew.is_stuck
    assert not crew.is_blocked
    assert read == [0]


def test_a_crew_of_which_one_is_free_is_not_blocked() -> None:
    crew, cancelled, release = FairThreadPool(2), threading.Event(), threading.Event()

    def work(_: int) -> None:
        cancelled.set()
        release.wait(ANSWER_S)

    with pytest.raises(Cancelled):
        list(crew.done(work, [0], cancelled))
    assert not crew.is_blocked
    cancelled.clear()
    with pytest.raises(Cancelled):
        list(crew.done(work, [1], cancelled))
    assert crew.is_blocked
    release.set()
    patiently(lambda: not crew.is_blocked)


def test_who_waits_knows_whether_it_has_its_turn() -> None:
    crew, release = FairThreadPool(1), threading.Event()
    begun: dict[str, threading.Event] = {name: threading.Event() for name in ("first", "second")}
    tokens = {name: threading.Event() for name in begun}

    def work(name: str) -> str:
        begun[name].set()
        release.wait(ANSWER_S)
        return name

    def do(name: str) -> threading.Thread:
        thread = threading.Thread(target=lambda: list(crew.done(work, [name], tokens[name])))
        thread.start()
        return thread

    def lasted_s(name: str) -> float:
        return crew.running_s(tokens[name]) or 0.0

    first = do("first")
    assert begun["first"].wait(ANSWER_S)
    second = do("second")
    patiently(lambda: crew.running_s(tokens["second"]) is None)
    patiently(lambda: lasted_s("first") > 0)
    before = lasted_s("first")
    patiently(lambda: lasted_s("first") > before)
    assert not begun["second"].is_set()
    release.set()
    first.join()
    second.join()
    assert [crew.running_s(token) for token in tokens.values()] == [0.0, 0.0]


def patiently(condition: Callable[[], bool]) -> None:
    """Wait for what becomes true by itself."""
    ends = time.monotonic() + ANSWER_S
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.001)


def test_nobody_stays_when_nothing_is_left_to_do() -> None:
    before = set(threading.enumerate())
    list(FairThreadPool(3).done(lambda item: item, range(10), threading.Event()))
    for thread in set(threading.enumerate()) - before:
        thread.join(ANSWER_S)
    assert set(threading.enumerate()) <= before


def test_who_stops_looking_takes_what_waits_out_of_line() -> None:
    crew, release = FairThreadPool(1), threading.Event()
    read: list[int] = []

    def work(item: int) -> int:
        if item:
            release.wait(ANSWER_S)
        read.append(item)
        return item

    done = crew.done(work, range(10), threading.Event())
    assert next(done) == (0, 0)
    done.close()
    release.set()
    assert list(crew.done(work, [99], threading.Event())) == [(99, 99)]
    assert read in ([0, 99], [0, 1, 99])
