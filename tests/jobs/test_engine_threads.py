import asyncio
import threading
import time

import pytest

from engine.errors import TranscriptionTimeout
from jobs import engine_threads
from jobs.engine_threads import EngineThreads
from jobs.leases import LeaseLost


async def test_the_loop_goes_on_while_the_engine_works() -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.create_task(tick())
    await EngineThreads().run(lambda _: time.sleep(0.3), limit_s=10, lost=asyncio.Event())
    ticking.cancel()
    assert ticks > 5


async def test_an_exception_of_the_engine_comes_through() -> None:
    def fail(_: threading.Event) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await EngineThreads().run(fail, limit_s=10, lost=asyncio.Event())


async def test_what_takes_too_long_is_told_to_stop() -> None:
    thread = EngineThreads()
    with pytest.raises(TranscriptionTimeout, match=r"longer than 0\.1 s"):
        await thread.run(lambda stop: stop.wait(30), limit_s=0.1, lost=asyncio.Event())
    assert not thread.is_stuck


async def test_a_time_in_which_several_work_counts_for_each_in_part() -> None:
    threads, began = EngineThreads(), time.monotonic()
    working = [threads.run(lambda stop: stop.wait(30), limit_s=0.2, lost=asyncio.Event()) for _ in range(4)]
    ended = await asyncio.gather(*working, return_exceptions=True)
    assert {type(end) for end in ended} == {TranscriptionTimeout}
    assert time.monotonic() - began > 0.2 * 4 * 0.9


async def test_the_time_in_which_one_waits_for_its_turn_counts_for_nobody() -> None:
    threads, release = EngineThreads(), threading.Event()

    def work(stop: threading.Event) -> bool:
        return release.wait(30) and not stop.is_set()

    waiting = asyncio.create_task(
        threads.run(work, limit_s=0.2, lost=asyncio.Event(), running_s=lambda _: None),
    )
    for _ in range(3):
        with pytest.raises(TranscriptionTimeout):
            await threads.run(lambda stop: stop.wait(30), limit_s=0.2, lost=asyncio.Event())
    assert not waiting.done()
    release.set()
    assert await waiting


async def test_what_waited_is_limited_once_it_has_its_turn() -> None:
    waited_s: list[float | None] = [None] * 5 + [0.0]

    def running_s(_: threading.Event) -> float | None:
        return waited_s.pop(0) if len(waited_s) > 1 else waited_s[0]

    with pytest.raises(TranscriptionTimeout):
        await EngineThreads().run(lambda stop: stop.wait(30), limit_s=0.1, lost=asyncio.Event(), running_s=running_s)
    assert waited_s == [0.0]


async def test_a_turn_that_lasts_longer_than_the_limit_is_nobody_else_s() -> None:
    threads, release = EngineThreads(), threading.Event()
    others = [
        asyncio.create_task(threads.run(lambda _: release.wait(30), limit_s=60, lost=asyncio.Event())) for _ in range(9)
    ]
    with pytest.raises(TranscriptionTimeout, match="longer than 20 s"):
        await threads.run(lambda stop: stop.wait(30), limit_s=20, lost=asyncio.Event(), running_s=lambda _: 21.0)
    release.set()
    assert all(await asyncio.gather(*others))


async def test_what_nobody_wants_any_more_is_told_to_stop() -> None:
    lost = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, lost.set)
    with pytest.raises(LeaseLost):
        await EngineThreads().run(lambda stop: stop.wait(30), limit_s=10, lost=lost)


async def test_an_engine_that_does_not_stop_is_known_to_be_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_threads, "STOP_S", 0.05)
    thread, release = EngineThreads(), threading.Event()
    with pytest.raises(TranscriptionTimeout):
        await thread.run(lambda _: release.wait(30), limit_s=0.05, lost=asyncio.Event())
    assert thread.is_stuck
    release.set()


async def test_who_is_cancelled_does_not_wait_for_the_engine_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    thread, release = EngineThreads(), threading.Event()

    def work(stop: threading.Event) -> None:
        stop.wait(30)
        release.wait(30)

    running = asyncio.create_task(thread.run(work, limit_s=10, lost=asyncio.Event()))
    await asyncio.sleep(0.05)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    with monkeypatch.context() as impatient:
        impatient.setattr(engine_threads, "STOP_S", 0.05)
        await thread.wait_idle()
    assert thread.is_stuck
    release.set()
    await thread.wait_idle()
    assert not thread.is_stuck
