"""Registry of live workers in Redis: each refreshes its own entry, and one that stops doing so expires."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast

from pydantic import BaseModel, ConfigDict

from jobs.lua_scripts import LuaScripts
from jobs.redis import PrefixedRedis

EXPIRY_S = 12


class WorkerInfo(BaseModel):
    """A worker: its id, the notes it works on, how many it takes at once, its model, and when it started."""

    model_config = ConfigDict(frozen=True)

    id: str
    notes: tuple[str, ...]
    at_once: int
    model: str
    since: datetime


class WorkerRegistration:
    """A worker's own entry in the registry. The worker keeps `notes` up to date."""

    def __init__(self, redis: PrefixedRedis, worker_id: str, model: str, at_once: int) -> None:
        """Prepare the entry of `worker_id`, which takes `at_once` notes at the same time; nothing is written yet."""
        self._redis = redis
        self._scripts = LuaScripts(redis)
        self._id = worker_id
        self._model = model
        self._at_once = at_once
        self._since = datetime.now(UTC)
        self._key = _key(redis, worker_id)
        self.notes: set[str] = set()

    async def refresh(self) -> None:
        """Write the entry, and let it expire in `EXPIRY_S` from now."""
        info = WorkerInfo(
            id=self._id, notes=tuple(self.notes), at_once=self._at_once, model=self._model, since=self._since
        )
        await self._scripts.announce(self._id, self._at_once, self._key, info.model_dump_json(), 1000 * EXPIRY_S)

    async def remove(self) -> None:
        """Delete the entry at once: the worker ends."""
        await _drop(self._redis, [self._id])


async def live_workers(redis: PrefixedRedis) -> list[WorkerInfo]:
    """Return the workers whose entries have not expired, oldest first, and drop the ids of the others."""
    ids = [worker.decode() for worker in cast("list[bytes]", await redis.zrange(redis.key("workers"), 0, -1))]
    if not ids:
        return []
    entries: Sequence[bytes | None] = await redis.mget([_key(redis, worker_id) for worker_id in ids])
    if expired := [worker_id for worker_id, entry in zip(ids, entries, strict=True) if entry is None]:
        await _drop(redis, expired)
    workers = [WorkerInfo.model_validate_json(entry) for entry in entries if entry is not None]
    return sorted(workers, key=lambda worker: worker.since)


async def _drop(redis: PrefixedRedis, worker_ids: Sequence[str]) -> None:
    async with redis.pipeline() as pipe:
        pipe.zrem(redis.key("workers"), *worker_ids)
        pipe.hdel(redis.key("places"), *worker_ids)
        pipe.delete(*[_key(redis, worker_id) for worker_id in worker_ids])
        await pipe.execute()


def _key(redis: PrefixedRedis, worker_id: str) -> str:
    return redis.key("worker", worker_id)
