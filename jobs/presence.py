"""Which workers are there and what they do, as they say themselves in Redis; who falls silent disappears by itself."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast

from arq import ArqRedis
from pydantic import BaseModel, ConfigDict

WORKERS = "earshot:workers"
SILENCE_S = 12


class Presence(BaseModel):
    """A worker: its id, the notes it works on, how many it takes at once, its model, and since when it is there."""

    model_config = ConfigDict(frozen=True)

    id: str
    notes: tuple[str, ...]
    at_once: int
    model: str
    since: datetime


class Announcer:
    """A worker's own voice. `notes` is kept by whoever gives it work."""

    def __init__(self, redis: ArqRedis, worker_id: str, model: str, at_once: int) -> None:
        """Speak for the worker `worker_id`, which takes `at_once` notes at the same time."""
        self._redis = redis
        self._id = worker_id
        self._model = model
        self._at_once = at_once
        self._since = datetime.now(UTC)
        self.notes: set[str] = set()

    async def announce(self) -> None:
        """Say that the worker is there."""
        presence = Presence(
            id=self._id, notes=tuple(self.notes), at_once=self._at_once, model=self._model, since=self._since
        )
        async with self._redis.pipeline() as pipe:
            pipe.zadd(WORKERS, {self._id: self._since.timestamp()})
            pipe.set(_key(self._id), presence.model_dump_json(), ex=SILENCE_S)
            await pipe.execute()

    async def leave(self) -> None:
        """Say that the worker is gone."""
        async with self._redis.pipeline() as pipe:
            pipe.zrem(WORKERS, self._id)
            pipe.delete(_key(self._id))
            await pipe.execute()


async def present(redis: ArqRedis) -> list[Presence]:
    """Give the workers that are there, and forget those that fell silent."""
    ids = [worker.decode() for worker in cast("list[bytes]", await redis.zrange(WORKERS, 0, -1))]
    if not ids:
        return []
    found: Sequence[bytes | None] = await redis.mget([_key(worker_id) for worker_id in ids])
    if silent := [worker_id for worker_id, said in zip(ids, found, strict=True) if said is None]:
        await redis.zrem(WORKERS, *silent)
    return [Presence.model_validate_json(said) for said in found if said is not None]


def _key(worker_id: str) -> str:
    return f"earshot:worker:{worker_id}"
