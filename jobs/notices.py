"""Which message told somebody of a delay: kept in Redis, since it is said just when the database takes nothing."""

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import cast

import structlog
from redis.asyncio import Redis

from jobs.redis import TROUBLE

NOTICES = "earshot:notices"
KEPT_S = 2 * 86_400  # longer than Telegram keeps what it could not hand over
ANSWER_S = 0.5

log = structlog.get_logger()


class Notices:
    """Outlives the process that wrote them. Without Redis nothing is kept, and nobody waits for it."""

    def __init__(self, redis: Redis) -> None:
        """Keep them in `redis`."""
        self._redis = redis

    async def keep(self, about: str, message_id: int) -> None:
        """Keep which message tells about something."""
        try:
            async with asyncio.timeout(ANSWER_S), self._redis.pipeline() as pipe:
                pipe.hset(NOTICES, about, str(message_id))
                pipe.expire(NOTICES, KEPT_S)
                await pipe.execute()
        except TROUBLE as error:
            log.warning("notice_not_kept", error=repr(error))

    async def get(self, about: str) -> int | None:
        """Give the message that tells about something; None if there is none, or Redis is away."""
        try:
            async with asyncio.timeout(ANSWER_S):
                found = await cast("Awaitable[bytes | None]", self._redis.hget(NOTICES, about))
        except TROUBLE:
            return None
        return None if found is None else int(found)

    async def forget(self, about: str) -> None:
        """Forget the message, which the ledger knows by now."""
        with contextlib.suppress(*TROUBLE):
            async with asyncio.timeout(ANSWER_S):
                await cast("Awaitable[int]", self._redis.hdel(NOTICES, about))
