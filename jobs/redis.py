"""The client of Redis for all processes, which writes jobs as JSON instead of pickles."""

import json
from typing import cast

from arq import ArqRedis
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

from jobs.redis_pool import make_pool
from jobs.settings import DEFAULT_PREFIX

REDIS_ERRORS = (RedisError, OSError)  # what any call may raise while Redis does not answer


class PrefixedRedis(ArqRedis):
    """A client of one installation, whose keys all begin with its prefix: others may use the same Redis."""

    def __init__(self, pool: ConnectionPool, prefix: str) -> None:
        """Use the connections of `pool`; nothing is sent yet."""
        super().__init__(
            pool, job_serializer=to_json, job_deserializer=from_json, default_queue_name=f"{prefix}:waiting"
        )
        self.prefix = prefix

    def key(self, *parts: str) -> str:
        """Return the name of a key of this installation."""
        return ":".join((self.prefix, *parts))

    def job_id(self, note_id: str) -> str:
        """Return the name of the note's job. arq's own keys end with it, so they differ between installations too."""
        return self.key("note", note_id)


def to_json(job: dict[str, object]) -> bytes:
    """Serialise a job; what JSON does not know, such as arq's own exceptions, becomes text."""
    return json.dumps(job, default=str).encode()


def from_json(text: bytes) -> dict[str, object]:
    """Deserialise a job. Unlike pickle, this runs no code that somebody put into Redis."""
    return cast("dict[str, object]", json.loads(text))


def connect(url: str, prefix: str = DEFAULT_PREFIX) -> PrefixedRedis:
    """Make a client of the Redis at `url`, for the queue and for workers alike; it connects when first used.

    Raises:
        RedisUrlInvalid: `url` is not understood.
    """
    return PrefixedRedis(make_pool(url), prefix)
