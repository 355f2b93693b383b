import asyncio

from structlog.testing import capture_logs

from jobs.errors import QueueUnreachable
from jobs.redis import PrefixedRedis
from jobs.resilience import cancel_and_wait, running_periodically
from tests.jobs.conftest import until


async def test_trouble_is_named_once_and_its_end_too() -> None:
    troubles: list[Exception] = [OSError("away"), QueueUnreachable(reason="away"), ConnectionError("away")]
    steps = 0

    async def step() -> None:
        nonlocal steps
        steps += 1
        if troubles:
            raise troubles.pop()

    with capture_logs() as logs:
        async with running_periodically(0.01, step, "a test"):
            await until(lambda: steps > 5)
    assert [line["event"] for line in logs] == ["trouble", "trouble_over"]


async def test_a_bug_is_logged_and_does_not_end_it() -> None:
    steps = 0

    async def step() -> None:
        nonlocal steps
        steps += 1
        if steps == 1:
            raise ZeroDivisionError

    with capture_logs() as logs:
        async with running_periodically(0.01, step, "a test"):
            await until(lambda: steps > 2)
    assert logs[0]["log_level"] == "error"


async def test_it_ends_with_the_block() -> None:
    steps = 0

    async def step() -> None:
        nonlocal steps
        steps += 1

    async with running_periodically(0.01, step, "a test"):
        await until(lambda: steps > 0)
    stood = steps
    await asyncio.sleep(0.05)
    assert steps == stood


async def test_it_ends_with_the_block_though_redis_swallows_the_cancellation(redis: PrefixedRedis) -> None:
    await redis.ping()
    async with asyncio.timeout(60):
        for turns in (1, 2, 3, 4, 5, 6):  # at one of them the command is being sent
            async with running_periodically(60, redis.ping, "a test"):
                for _ in range(turns):
                    await asyncio.sleep(0)


async def test_a_task_that_misses_a_cancellation_is_ended_all_the_same() -> None:
    missed = 0

    async def stubborn() -> None:
        nonlocal missed
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if missed == 2:
                    raise
                missed += 1

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    await cancel_and_wait(task)
    assert task.cancelled()
    assert missed == 2


async def test_what_a_task_raises_at_its_end_stays_with_it() -> None:
    async def fails() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise ZeroDivisionError

    task = asyncio.create_task(fails())
    await asyncio.sleep(0)
    await cancel_and_wait(task)
    assert isinstance(task.exception(), ZeroDivisionError)


async def test_what_has_ended_is_left_alone() -> None:
    task = asyncio.create_task(asyncio.sleep(0, "done"))
    assert await task == "done"
    await cancel_and_wait(task)
    assert task.result() == "done"
