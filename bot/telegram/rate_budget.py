"""Sliding-window rate limiter in Redis, shared by the bot and all workers. Knows no Bot API method.

Telegram's limits (https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this): one message a
second in a chat with short bursts, 20 a minute in a group, 30 a second overall.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import cast
from uuid import uuid4

from jobs.redis import REDIS_ERRORS, PrefixedRedis
from jobs.resilience import Outage

ANSWER_S = 0.5
TRY_AGAIN_S = 3.0
_TRAVEL_S = 0.25  # requests do not travel equally fast: what leaves within the limit should arrive within it
# The first key blocks the scope; every other one is a window, whose limit and milliseconds are among the arguments.
# Redis's own clock is the one that all machines share. What lies ahead of it was counted before it was set back.
# Removing comes before adding also for a full Redis, which lets a script go on that has begun to write.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local wait = math.max(0, redis.call('PTTL', KEYS[1]))
for i = 2, #KEYS do
  local most, span = tonumber(ARGV[2 * i - 2]), tonumber(ARGV[2 * i - 1])
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now - span)
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '(' .. now, '+inf')
  local used = redis.call('ZCARD', KEYS[i])
  if used >= most then
    local leaves_last = redis.call('ZRANGE', KEYS[i], used - most, used - most, 'WITHSCORES')
    wait = math.max(wait, leaves_last[2] + span - now)
  end
end
if wait > 0 then return wait end
for i = 2, #KEYS do
  redis.call('ZADD', KEYS[i], now, ARGV[1])
  redis.call('PEXPIRE', KEYS[i], ARGV[2 * i - 1])
end
return 0
"""


@dataclass(frozen=True, slots=True)
class RateWindow:
    """At most `limit` messages within any `seconds`."""

    limit: int
    seconds: float

    def limit_for(self, *, is_low_priority: bool) -> int:
        """Return the limit for a priority: low priority may use half of the window."""
        return self.limit // 2 + 1 if is_low_priority else self.limit


@dataclass(frozen=True, slots=True)
class RateWindows:
    """The windows for one chat, for one group, and for the whole bot."""

    chat: RateWindow = RateWindow(5, 5 + _TRAVEL_S)
    group: RateWindow = RateWindow(20, 60 + _TRAVEL_S)
    all: RateWindow = RateWindow(30, 1 + _TRAVEL_S)


DEFAULT_WINDOWS = RateWindows()


class RateBudget:
    """Grants requests. While Redis is away it grants everything, and asks again every `TRY_AGAIN_S`."""

    def __init__(self, redis: PrefixedRedis, windows: RateWindows = DEFAULT_WINDOWS) -> None:
        """Count requests in `redis`."""
        self._redis = redis
        self._windows = windows
        self._take = redis.register_script(_TAKE)
        self._one_at_a_time = asyncio.Lock()  # a crowd on as many connections would take a busy Redis for a frozen one
        self._outage = Outage("flood_budget")
        self._asks_again_at = 0.0

    async def acquire(self, bot_id: int, scope: str, *, is_counted: bool, is_low_priority: bool) -> float:
        """Count a request and return 0, or return the seconds until it may be sent, without counting it.

        `scope` is a chat's id, or the name of a method that has no chat. Requests that are not counted only wait while
        their scope is blocked.
        """
        windows = self._windows_for(bot_id, scope) if is_counted else {}
        keys = [self._key(bot_id, "quiet", scope), *windows]
        args: list[str | int] = [uuid4().hex]
        for window in windows.values():
            args += [window.limit_for(is_low_priority=is_low_priority), round(1000 * window.seconds)]
        wait_ms = cast("int | None", await self._ask_redis(lambda: self._take(keys=keys, args=args)))
        return (wait_ms or 0) / 1000

    async def block(self, bot_id: int, scope: str, seconds: float) -> None:
        """Block all requests to `scope` for so many seconds."""
        key, px = self._key(bot_id, "quiet", scope), max(1, round(1000 * seconds))
        await self._ask_redis(lambda: self._redis.set(key, b"", px=px))

    def _windows_for(self, bot_id: int, scope: str) -> dict[str, RateWindow]:
        windows = {self._key(bot_id, "all"): self._windows.all, self._key(bot_id, "chat", scope): self._windows.chat}
        if scope.startswith("-"):
            windows[self._key(bot_id, "group", scope)] = self._windows.group
        return windows

    async def _ask_redis(self, ask: Callable[[], Awaitable[object]]) -> object | None:
        """Return what Redis answers; None if it is away, or was within the last `TRY_AGAIN_S`."""
        async with self._one_at_a_time:
            if monotonic() < self._asks_again_at:
                return None
            try:
                async with asyncio.timeout(ANSWER_S):
                    answer = await ask()
            except REDIS_ERRORS as trouble:
                self._asks_again_at = monotonic() + TRY_AGAIN_S
                self._outage.report_failure(trouble)
                return None
            self._outage.report_success()
            return answer

    def _key(self, bot_id: int, *rest: str) -> str:
        return self._redis.key("flood", str(bot_id), *rest)
