"""The client of Redis for all processes, which writes jobs as JSON instead of pickles."""

import json
from typing import cast

from arq import ArqRedis
from redis.exceptions import RedisError

from jobs.redis_pool import make_pool

QUEUE = "arq:queue"
REDIS_ERRORS = (RedisError, OSError)  # what any call may raise while Redis does not answer


def to_json(job: dict[str, object]) -> bytes:
    """Serialise a job; what JSON does not know, such as arq's own exceptions, becomes text."""
    return json.dumps(job, default=str).encode()


def from_json(text: bytes) -> dict[str, object]:
    """Deserialise a job. Unlike pickle, this runs no code that somebody put into Redis."""
    return cast("dict[str, object]", json.loads(text))


def connect(url: str) -> ArqRedis:
    """Make a client of the Redis at `url`, for the queue and for workers alike; it connects when first used.

    Raises:
        RedisUrlInvalid: `url` is not understood.
    """
    return ArqRedis(make_pool(url), job_serializer=to_json, job_deserializer=from_json, default_queue_name=QUEUE)
