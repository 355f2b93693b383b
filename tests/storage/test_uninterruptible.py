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
