"""Telegram's rate limits on messages, and whether a bot obeys `retry_after`.

One message a second to a chat after a burst, 20 a minute to a group, 30 a second in all; edits count
(https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this).
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

MINUTE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits; all of them can be set lower for a test."""

    chat_per_s: float = 1.0
    chat_burst: int = 8
    group_per_minute: int = 20
    total_per_s: float = 30.0
    # Requests that were under way when the 429 was sent are no violation.
    in_flight_s: float = 0.5


@dataclass(slots=True)
class _Bucket:
    """Token bucket."""

    capacity: float
    per_s: float
    level: float
    at: float

    def wait_s(self, now: float) -> float:
        self.level = min(self.capacity, self.level + (now - self.at) * self.per_s)
        self.at = now
        return max(0.0, (1.0 - self.level) / self.per_s)

    def take(self) -> None:
        self.level -= 1.0


@dataclass(slots=True)
class _Penalty:
    since: float
    until: float


@dataclass(slots=True)
class RateLimiter:
    """Counts messages for each chat and in all; knows which chats the bot was told to leave alone."""

    clock: Callable[[], float]
    limits: Limits | None
    chats: dict[str, _Bucket] = field(default_factory=dict)
    minutes: dict[str, deque[float]] = field(default_factory=dict)
    total: _Bucket | None = None
    penalties: dict[str, _Penalty] = field(default_factory=dict)

    def count_message(self, chat: str) -> int:
        """Count one message to `chat`; give the seconds to wait (`retry_after`) when it is one too many, else 0."""
        if self.limits is None:
            return 0
        now = self.clock()
        wait = max(self._chat_wait(chat, now, self.limits), self._group_wait(chat, now), self._total_wait(now))
        if wait > 0:
            return max(1, math.ceil(wait))
        self._count(chat, now)
        return 0

    def _chat_wait(self, chat: str, now: float, limits: Limits) -> float:
        burst = float(limits.chat_burst)
        bucket = self.chats.setdefault(chat, _Bucket(burst, limits.chat_per_s, burst, now))
        return bucket.wait_s(now)

    def _group_wait(self, chat: str, now: float) -> float:
        if self.limits is None or not chat.startswith("-"):
            return 0.0
        sent = self.minutes.setdefault(chat, deque())
        while sent and sent[0] <= now - MINUTE_S:
            sent.popleft()
        return sent[0] + MINUTE_S - now if len(sent) >= self.limits.group_per_minute else 0.0

    def _total_wait(self, now: float) -> float:
        if self.limits is None:
            return 0.0
        per_s = self.limits.total_per_s
        self.total = self.total or _Bucket(per_s, per_s, per_s, now)
        return self.total.wait_s(now)

    def _count(self, chat: str, now: float) -> None:
        self.chats[chat].take()
        if chat in self.minutes:
            self.minutes[chat].append(now)
        if self.total is not None:
            self.total.take()

    def penalize(self, chat: str, retry_after: int) -> None:
        """Remember that the bot was told to wait `retry_after` seconds before it writes to `chat`."""
        now = self.clock()
        self.penalties[chat] = _Penalty(now, now + retry_after)

    def remaining_wait_s(self, chat: str) -> float:
        """Give how many seconds of the last `retry_after` for `chat` are left; 0 when none."""
        penalty = self.penalties.get(chat)
        if penalty is None or self.clock() >= penalty.until:
            self.penalties.pop(chat, None)
            return 0.0
        return penalty.until - self.clock()

    def has_had_time_to_react(self, chat: str) -> bool:
        """Tell whether the bot has had the time to read the 429 for `chat`."""
        in_flight = self.limits.in_flight_s if self.limits else Limits().in_flight_s
        return self.clock() - self.penalties[chat].since > in_flight
