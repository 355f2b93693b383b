"""Keeps in Redis which message told a sender of a delay; the database takes nothing just then."""

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import cast

import structlog

from jobs.redis import REDIS_ERRORS, PrefixedRedis

KEPT_S = 2 * 86_400  # longer than Telegram keeps an update that it could not hand over
REDIS_TIMEOUT_S = 0.5

log = structlog.get_logger()


class NoticeStore:
    """Outlives the process that wrote it. Without Redis nothing is kept, and nobody waits for it."""

    def __init__(self, redis: PrefixedRedis) -> None:
        """Keep the message ids in `redis`."""
        self._redis = redis
        self._key = redis.key("notices")

    async def keep(self, about: str, message_id: int) -> None:
        """Store the message that tells about something."""
        try:
            async with asyncio.timeout(REDIS_TIMEOUT_S), self._redis.pipeline() as pipe:
                pipe.hset(self._key, about, str(message_id))
                pipe.expire(self._key, KEPT_S)
                await pipe.execute()
        except REDIS_ERRORS as error:
            log.warning("notice_not_kept", error=repr(error))

    async def get(self, about: str) -> int | None:
        """Return the message that tells about something; None if there is none, or Redis does not answer."""
        try:
            async with asyncio.timeout(REDIS_TIMEOUT_S):
                found = await cast("Awaitable[bytes | None]", self._redis.hget(self._key, about))
        except REDIS_ERRORS:
            return None
        return None if found is None else int(found)

    async def forget(self, about: str) -> None:
        """Delete the message, which the ledger knows by now."""
        with contextlib.suppress(*REDIS_ERRORS):
            async with asyncio.timeout(REDIS_TIMEOUT_S):
                await cast("Awaitable[int]", self._redis.hdel(self._key, about))
