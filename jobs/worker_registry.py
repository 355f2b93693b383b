"""Registry of live workers in Redis: each refreshes its own entry, and one that stops doing so expires."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast

from arq import ArqRedis
from pydantic import BaseModel, ConfigDict

WORKERS_KEY = "earshot:workers"
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

    def __init__(self, redis: ArqRedis, worker_id: str, model: str, at_once: int) -> None:
        """Prepare the entry of `worker_id`, which takes `at_once` notes at the same time; nothing is written yet."""
        self._redis = redis
        self._id = worker_id
        self._model = model
        self._at_once = at_once
        self._since = datetime.now(UTC)
        self.notes: set[str] = set()

    async def refresh(self) -> None:
        """Write the entry, and let it expire in `EXPIRY_S` from now."""
        info = WorkerInfo(
            id=self._id, notes=tuple(self.notes), at_once=self._at_once, model=self._model, since=self._since
        )
        async with self._redis.pipeline() as pipe:
            pipe.zadd(WORKERS_KEY, {self._id: self._since.timestamp()})
            pipe.set(_key(self._id), info.model_dump_json(), ex=EXPIRY_S)
            await pipe.execute()

    async def remove(self) -> None:
        """Delete the entry at once: the worker ends."""
        async with self._redis.pipeline() as pipe:
            pipe.zrem(WORKERS_KEY, self._id)
            pipe.delete(_key(self._id))
            await pipe.execute()


async def live_workers(redis: ArqRedis) -> list[WorkerInfo]:
    """Return the workers whose entries have not expired, oldest first, and drop the ids of the others."""
    ids = [worker.decode() for worker in cast("list[bytes]", await redis.zrange(WORKERS_KEY, 0, -1))]
    if not ids:
        return []
    entries: Sequence[bytes | None] = await redis.mget([_key(worker_id) for worker_id in ids])
    if expired := [worker_id for worker_id, entry in zip(ids, entries, strict=True) if entry is None]:
        await redis.zrem(WORKERS_KEY, *expired)
    return [WorkerInfo.model_validate_json(entry) for entry in entries if entry is not None]


def _key(worker_id: str) -> str:
    return f"earshot:worker:{worker_id}"
