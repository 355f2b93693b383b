"""The flood budget that all processes share, against a real PrefixedRedis."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from time import monotonic

import pytest
from hypothesis import HealthCheck, given, settings as effort, strategies as st
from structlog.testing import capture_logs

from bot.telegram import rate_budget as budget_module
from bot.telegram.rate_budget import RateBudget, RateWindow, RateWindows
from jobs.queue import connect
from jobs.redis import PrefixedRedis
from jobs.redis_server import RedisServer
from tests.bot.conftest import awaited

WIDE = RateWindow(1000, 60)
SMALL = RateWindows(chat=RateWindow(2, 0.02), group=RateWindow(3, 0.05), all=RateWindow(4, 0.03))
BOT = 42
BOTS = count(1000)


@pytest.fixture
async def redis(server: RedisServer) -> AsyncIterator[PrefixedRedis]:
    async with client(server) as redis:
        yield redis


@asynccontextmanager
async def client(server: RedisServer) -> AsyncIterator[PrefixedRedis]:
    redis = connect(server.url)
    try:
        yield redis
    finally:
        await redis.aclose(close_connection_pool=True)


async def ask(budget: RateBudget, place: str = "1", *, bot_id: int = BOT, is_low_priority: bool = False) -> float:
    return await budget.acquire(bot_id, place, is_counted=True, is_low_priority=is_low_priority)


async def granted(budget: RateBudget, place: str, most: int, *, is_low_priority: bool = False) -> int:
    return [await ask(budget, place, is_low_priority=is_low_priority) for _ in range(most)].count(0)


async def test_two_processes_share_one_budget(server: RedisServer) -> None:
    windows = RateWindows(chat=RateWindow(3, 60))
    async with client(server) as one, client(server) as other:
        budgets = RateBudget(one, windows), RateBudget(other, windows)
        waits = [await ask(budgets[number % 2]) for number in range(4)]
    assert waits[:3] == [0, 0, 0]
    assert 59 < waits[3] <= 60


async def test_what_was_refused_is_not_counted(redis: PrefixedRedis) -> None:
    budget = RateBudget(redis, RateWindows(chat=RateWindow(1, 60), all=RateWindow(3, 60)))
    assert await granted(budget, "1", 10) == 1
    assert await granted(budget, "2", 10) == 1
    assert await granted(budget, "3", 10) == 1
    assert await granted(budget, "4", 10) == 0


async def test_only_groups_have_the_groups_limit(redis: PrefixedRedis) -> None:
    budget = RateBudget(redis, RateWindows(chat=WIDE, group=RateWindow(2, 60), all=WIDE))
    assert await granted(budget, "-5", 4) == 2
    assert await granted(budget, "5", 4) == 4


async def test_bots_have_budgets_of_their_own(redis: PrefixedRedis) -> None:
    budget = RateBudget(redis, RateWindows(all=RateWindow(1, 60)))
    assert [await ask(budget, bot_id=1), await ask(budget, bot_id=2)] == [0, 0]


@pytest.mark.parametrize("most", [1, 2, 3, 20])
async def test_what_gives_way_comes_only_while_at_most_half_is_used(redis: PrefixedRedis, most: int) -> None:
    budget = RateBudget(redis, RateWindows(chat=RateWindow(most, 60), group=WIDE, all=WIDE))
    assert await granted(budget, "1", most, is_low_priority=True) == most // 2 + 1
    assert await granted(budget, "1", most) == most - most // 2 - 1


async def test_what_gives_way_is_told_when_half_is_free_again(redis: PrefixedRedis) -> None:
    budget = RateBudget(redis, RateWindows(chat=RateWindow(4, 60), all=WIDE))
    await granted(budget, "1", 1)
    await asyncio.sleep(0.3)
    await granted(budget, "1", 3)
    half_free_in = await ask(budget, is_low_priority=True)
    assert await ask(budget) <= half_free_in - 0.29


async def test_everybody_hears_who_must_be_quiet(server: RedisServer) -> None:
    async with client(server) as one, client(server) as other:
        await RateBudget(one).block(BOT, "1", 20)
        budget = RateBudget(other)
        assert 19 < await ask(budget) <= 20
        assert 19 < await budget.acquire(BOT, "1", is_counted=False, is_low_priority=False) <= 20
        assert await ask(budget, "2") == 0


async def test_what_does_not_count_takes_nothing(redis: PrefixedRedis) -> None:
    budget = RateBudget(redis, RateWindows(chat=RateWindow(1, 60)))
    for _ in range(5):
        assert await budget.acquire(BOT, "1", is_counted=False, is_low_priority=False) == 0
    assert await ask(budget) == 0


async def test_a_clock_that_was_set_back_stops_nobody(redis: PrefixedRedis) -> None:
    budget = RateBudget(redis, RateWindows(chat=RateWindow(1, 60)))
    seconds, _ = await redis.time()
    await redis.zadd(f"earshot:flood:{BOT}:chat:1", {"from the future": 1000 * (seconds + 3600)})
    assert await ask(budget) == 0


async def test_nothing_is_left_in_redis(redis: PrefixedRedis) -> None:
    budget = RateBudget(redis, SMALL)
    await ask(budget, "-5")
    await budget.block(BOT, "-5", 0.01)
    await asyncio.sleep(0.2)
    assert await redis.keys() == []


CALLS = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from(["1", "-2", "-3"]), st.booleans(), st.integers(0, 12)), max_size=40
)


@effort(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=CALLS)
async def test_no_window_ever_holds_more_than_it_may(
    server: RedisServer, calls: list[tuple[int, str, bool, int]]
) -> None:
    """A grant lies between asking and the answer: enough to tell that two grants are too close for certain."""
    bot_id = next(BOTS)
    grants: list[tuple[str, float, float]] = []
    async with client(server) as one, client(server) as other:
        budgets = RateBudget(one, SMALL), RateBudget(other, SMALL)
        for number, place, is_low_priority, pause_ms in calls:
            asked_at = monotonic()
            wait_s = await ask(budgets[number], place, bot_id=bot_id, is_low_priority=is_low_priority)
            if wait_s == 0:
                grants.append((place, asked_at, monotonic()))
            await asyncio.sleep(pause_ms / 1000)
    assert not crowded(grants, SMALL.all)
    for place in ("1", "-2", "-3"):
        here = [grant for grant in grants if grant[0] == place]
        assert not crowded(here, SMALL.chat)
        assert place == "1" or not crowded(here, SMALL.group)


def crowded(grants: list[tuple[str, float, float]], window: RateWindow) -> list[tuple[str, float, float]]:
    """Give the grants that came before the window had room again; a millisecond is what the times are rounded to."""
    return [
        later
        for (_, asked_at, _), later in zip(grants, grants[window.limit :], strict=False)
        if later[2] - asked_at < window.seconds - 0.001
    ]


async def test_all_who_wait_have_their_turn_and_no_two_at_once(server: RedisServer) -> None:
    window = RateWindow(2, 0.1)
    asked: list[float] = []
    answered: list[float] = []

    async def send(budget: RateBudget) -> None:
        asked.append(monotonic())
        while wait_s := await ask(budget):  # noqa: ASYNC110 - it is told how long to wait
            await asyncio.sleep(wait_s)
        answered.append(monotonic())

    async with AsyncExitStack() as stack:
        windows = RateWindows(chat=window, all=WIDE)
        budgets = [RateBudget(await stack.enter_async_context(client(server)), windows) for _ in range(2)]
        await asyncio.gather(*(send(budget) for budget in budgets for _ in range(5)))
    assert len(answered) == 10
    assert max(answered) - min(asked) >= 4 * window.seconds - 0.005, "the fifth two come when four windows are over"


async def test_without_redis_all_is_granted_until_it_is_back(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget_module, "TRY_AGAIN_S", 0.2)
    monkeypatch.setattr(budget_module, "ANSWER_S", 0.5)
    assert server.process is not None
    async with client(server) as redis:
        budget = RateBudget(redis, RateWindows(chat=RateWindow(1, 60)))
        assert await ask(budget) == 0
        with capture_logs() as logs:
            os.kill(server.process.pid, signal.SIGSTOP)
            try:
                for _ in range(3):
                    async with asyncio.timeout(5):
                        assert await asyncio.gather(*(ask(budget) for _ in range(20))) == [0] * 20
                        await budget.block(BOT, "1", 60)
                    await asyncio.sleep(0.25)
            finally:
                os.kill(server.process.pid, signal.SIGCONT)
            await awaited(lambda: ask(budget))
    assert [line["event"] for line in logs] == ["trouble", "trouble_over"]


async def test_a_crowd_shares_one_connection(server: RedisServer) -> None:
    async with client(server) as redis:
        budget = RateBudget(redis, RateWindows(chat=WIDE, all=WIDE))
        await asyncio.gather(*(ask(budget) for _ in range(100)))
        assert len(await redis.client_list()) == 1


async def test_a_redis_that_is_away_is_asked_again_only_after_a_while(server: RedisServer) -> None:
    async with client(server) as redis:
        budget = RateBudget(redis, RateWindows(chat=RateWindow(1, 60)))
        assert await ask(budget) == 0
        await server.stop()
        assert await ask(budget) == 0
        await server.start()
        assert await ask(budget) == 0, "it was not asked"


async def test_a_full_redis_still_counts(redis: PrefixedRedis) -> None:
    budget = RateBudget(redis, RateWindows(chat=RateWindow(2, 60)))
    await redis.config_set("maxmemory", 1)
    assert await granted(budget, "1", 3) == 2


async def test_a_full_redis_that_cannot_spread_the_word_stops_nobody(redis: PrefixedRedis) -> None:
    budget = RateBudget(redis)
    await redis.config_set("maxmemory", 1)
    with capture_logs() as logs:
        await budget.block(BOT, "1", 60)
        assert await ask(budget) == 0
    assert [line["event"] for line in logs] == ["trouble"]
