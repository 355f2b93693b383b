import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, strategies as st

from engine.errors import Cancelled
from engine.pipeline import fair_pool
from engine.pipeline.fair_pool import FairThreadPool, RoundRobinQueue

DEADLINE_S = 60

lines = st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=60)


@given(lines)
def test_the_queue_loses_nothing_and_keeps_the_order_of_each_owner(steps: list[tuple[str, bool]]) -> None:
    queue: RoundRobinQueue[tuple[str, int]] = RoundRobinQueue()
    taken = []
    for number, (owner, takes) in enumerate(steps):
        queue.put(owner, (owner, number))
        if takes:
            taken.append(queue.pop())
    while queue:
        taken.append(queue.pop())
    for one in "abcd":
        put = [(owner, number) for number, (owner, _) in enumerate(steps) if owner == one]
        assert [item for item in taken if item[0] == one] == put


@given(lines)
def test_between_two_items_of_one_owner_every_other_owner_has_at_most_one(steps: list[tuple[str, bool]]) -> None:
    queue: RoundRobinQueue[str] = RoundRobinQueue()
    waiting = dict.fromkeys("abcd", 0)
    since = {one: dict.fromkeys("abcd", 0) for one in "abcd"}
    for owner, takes in steps:
        queue.put(owner, owner)
        if waiting[owner] == 0:
            since[owner] = dict.fromkeys("abcd", 0)
        waiting[owner] += 1
        if takes:
            taken = queue.pop()
            waiting[taken] -= 1
            since[taken] = dict.fromkeys("abcd", 0)
            for one in "abcd":
                since[one][taken] += 1
                assert not waiting[one] or one == taken or since[one][taken] <= 1


@given(st.integers(1, 4), st.lists(st.integers(), max_size=50))
def test_results_come_in_the_order_of_the_items(size: int, items: list[int]) -> None:
    done = list(FairThreadPool(size).map_ordered(lambda item: item + 1, items, threading.Event()))
    assert done == [(item, item + 1) for item in items]


def test_a_result_comes_before_the_next_item_does() -> None:
    given: list[tuple[int, int]] = []

    def items() -> Iterator[int | None]:
        yield 1
        for _ in range(DEADLINE_S * 100):
            if not given:
                time.sleep(0.01)
                yield None
        assert given

    for found in FairThreadPool(1).map_ordered(lambda item: item + 1, items(), threading.Event()):
        given.append(found)  # noqa: PERF402 - to be seen at once
    assert given == [(1, 2)]


def test_as_many_tasks_as_the_pool_has_threads_run_at_the_same_time() -> None:
    together = threading.Barrier(3)
    assert (
        len(list(FairThreadPool(3).map_ordered(lambda _: together.wait(DEADLINE_S), range(6), threading.Event()))) == 6
    )


def test_only_a_few_items_are_taken_ahead_of_the_results_that_are_read() -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for number in range(1_000):
            taken = number
            yield number

    done = FairThreadPool(2).map_ordered(lambda item: item, items(), threading.Event())
    for expected in range(100):
        assert next(done) == (expected, expected)
        assert taken <= expected + 5


def test_a_short_recording_runs_between_the_tasks_of_a_long_one() -> None:
    pool = FairThreadPool(1)
    order: list[str] = []
    first, go_on = threading.Event(), threading.Event()

    def work(item: str) -> None:
        first.set()
        go_on.wait(DEADLINE_S)
        order.append(item)

    def do(items: list[str]) -> threading.Thread:
        thread = threading.Thread(target=lambda: list(pool.map_ordered(work, items, threading.Event())))
        thread.start()
        return thread

    long = do(["long"] * 20)
    assert first.wait(DEADLINE_S)
    short = do(["short"])
    while sum(map(len, pool._queue._queues.values())) < 3:  # noqa: SLF001 - what waits: two of the long one and the short
        time.sleep(0.001)
    go_on.set()
    long.join()
    short.join()
    assert order.index("short") <= 2
    assert order.count("long") == 20


def test_an_error_is_raised_in_its_order_and_only_for_its_own_caller() -> None:
    pool = FairThreadPool(2)
    others = pool.map_ordered(lambda item: item, range(10), threading.Event())
    assert next(others) == (0, 0)
    failing = pool.map_ordered(lambda item: 1 // (3 - item), range(10), threading.Event())
    assert [item for item, _ in (next(failing), next(failing), next(failing))] == [0, 1, 2]
    with pytest.raises(ZeroDivisionError):
        next(failing)
    assert [item for item, _ in others] == list(range(1, 10))


def test_a_timeout_error_of_the_work_is_raised_unchanged() -> None:
    def work(_: int) -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        list(FairThreadPool(1).map_ordered(work, [1], threading.Event()))


def test_a_cancelled_caller_waits_neither_for_queued_nor_for_running_tasks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool, cancelled, begun, release = FairThreadPool(1), threading.Event(), threading.Event(), threading.Event()
    started: list[int] = []

    def work(item: int) -> None:
        started.append(item)
        begun.set()
        cancelled.set()
        release.wait(DEADLINE_S)

    with pytest.raises(Cancelled):
        list(pool.map_ordered(work, range(10), cancelled))
    with pytest.raises(Cancelled):
        list(pool.map_ordered(work, range(10), cancelled))  # is never started
    assert started == [0]
    assert pool.is_blocked
    assert not pool.is_stuck
    monkeypatch.setattr(fair_pool, "STUCK_AFTER_S", -1.0)
    assert pool.is_stuck
    release.set()
    assert list(pool.map_ordered(lambda item: item, [5], threading.Event())) == [(5, 5)]
    assert not pool.is_stuck
    assert not pool.is_blocked
    assert started == [0]


def test_a_pool_with_a_free_thread_is_not_blocked() -> None:
    pool, cancelled, release = FairThreadPool(2), threading.Event(), threading.Event()

    def work(_: int) -> None:
        cancelled.set()
        release.wait(DEADLINE_S)

    with pytest.raises(Cancelled):
        list(pool.map_ordered(work, [0], cancelled))
    assert not pool.is_blocked
    cancelled.clear()
    with pytest.raises(Cancelled):
        list(pool.map_ordered(work, [1], cancelled))
    assert pool.is_blocked
    release.set()
    wait_until(lambda: not pool.is_blocked)


def test_running_s_tells_whether_the_awaited_task_is_queued_or_for_how_long_it_runs() -> None:
    pool, release = FairThreadPool(1), threading.Event()
    begun: dict[str, threading.Event] = {name: threading.Event() for name in ("first", "second")}
    tokens = {name: threading.Event() for name in begun}

    def work(name: str) -> str:
        begun[name].set()
        release.wait(DEADLINE_S)
        return name

    def do(name: str) -> threading.Thread:
        thread = threading.Thread(target=lambda: list(pool.map_ordered(work, [name], tokens[name])))
        thread.start()
        return thread

    def lasted_s(name: str) -> float:
        return pool.running_s(tokens[name]) or 0.0

    first = do("first")
    assert begun["first"].wait(DEADLINE_S)
    second = do("second")
    wait_until(lambda: pool.running_s(tokens["second"]) is None)
    wait_until(lambda: lasted_s("first") > 0)
    before = lasted_s("first")
    wait_until(lambda: lasted_s("first") > before)
    assert not begun["second"].is_set()
    release.set()
    first.join()
    second.join()
    assert [pool.running_s(token) for token in tokens.values()] == [0.0, 0.0]


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for a condition that another thread makes true."""
    ends = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.001)


def test_no_thread_remains_without_work() -> None:
    before = set(threading.enumerate())
    list(FairThreadPool(3).map_ordered(lambda item: item, range(10), threading.Event()))
    for thread in set(threading.enumerate()) - before:
        thread.join(DEADLINE_S)
    assert set(threading.enumerate()) <= before


def test_closing_the_results_cancels_the_queued_tasks() -> None:
    pool, release = FairThreadPool(1), threading.Event()
    started: list[int] = []

    def work(item: int) -> int:
        if item:
            release.wait(DEADLINE_S)
        started.append(item)
        return item

    done = pool.map_ordered(work, range(10), threading.Event())
    assert next(done) == (0, 0)
    done.close()
    release.set()
    assert list(pool.map_ordered(work, [99], threading.Event())) == [(99, 99)]
    assert started in ([0, 99], [0, 1, 99])


def test_threads_are_joined_before_the_process_ends_until_the_time_for_that_is_over() -> None:
    release = threading.Event()
    threads = [threading.Thread(target=release.wait, args=(DEADLINE_S,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    threading.Timer(0.05, release.set).start()
    fair_pool._join_at_exit([*threads, threading.current_thread()])  # noqa: SLF001 - called by the interpreter's exit
    assert not any(thread.is_alive() for thread in threads)


def test_a_thread_that_hangs_delays_the_end_of_the_process_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    thread = threading.Thread(target=release.wait, args=(DEADLINE_S,))
    thread.start()
    monkeypatch.setattr(fair_pool, "EXIT_WAIT_S", 0.01)
    fair_pool._join_at_exit([thread])  # noqa: SLF001 - as above
    assert thread.is_alive()
    release.set()
    thread.join()


def test_the_process_ends_after_the_running_task() -> None:
    program = (
        "import threading, time\nfrom engine.pipeline.fair_pool import FairThreadPool\n"
        "started = threading.Event()\n"
        "def work(_):\n    started.set()\n    time.sleep(0.3)\n    print('done', flush=True)\n"
        "results = FairThreadPool(1).map_ordered(work, [1, None], threading.Event())\n"
        "threading.Thread(target=lambda: list(results), daemon=True).start()\nstarted.wait(10)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout == "done\n"
