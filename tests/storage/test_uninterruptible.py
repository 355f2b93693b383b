import asyncio

import pytest

from storage.uninterruptible import uninterruptible


@uninterruptible
class Slow:
    def __init__(self) -> None:
        self.ended = False

    async def work(self, answer: int) -> int:
        await asyncio.sleep(0.05)
        self.ended = True
        return answer


async def test_the_answer_comes_through() -> None:
    assert await Slow().work(7) == 7


async def test_what_was_begun_ends_before_its_cancellation_is_heard() -> None:
    slow = Slow()
    working = asyncio.create_task(slow.work(7))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert slow.ended


async def test_what_was_begun_ends_however_often_its_caller_is_cancelled() -> None:
    slow = Slow()
    working = asyncio.create_task(slow.work(7))
    for _ in range(4):
        await asyncio.sleep(0.005)
        working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert slow.ended


async def test_a_time_limit_of_the_caller_is_heard_once_what_was_begun_has_ended() -> None:
    slow = Slow()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await slow.work(7)
    assert slow.ended
