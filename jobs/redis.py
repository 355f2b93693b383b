"""Redis client for all processes: with time-outs, for a server that is frozen, and JSON instead of pickle."""

import json
from typing import cast

from arq import ArqRedis
from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError, RedisError  # noqa: A004 - redis-py's

from jobs.errors import RedisUrlInvalid

QUEUE = "arq:queue"
SOCKET_TIMEOUT_S = 5
CONNECT_TIMEOUT_S = 3
RETRIES = 2
MAX_PAUSE_S = 0.5
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
        RedisUrlInvalid: `url` cannot be read.
    """
    try:
        pool = ConnectionPool.from_url(
            url,
            socket_timeout=SOCKET_TIMEOUT_S,
            socket_connect_timeout=CONNECT_TIMEOUT_S,
            # With a frozen server, redis-py's own health check and its retry call each other without end: so no
            # `health_check_interval`, and a time limit that passed is not tried again.
            retry=Retry(ExponentialBackoff(cap=MAX_PAUSE_S, base=0.05), RETRIES, (ConnectionError,)),
            retry_on_error=[ConnectionError],
            **_network_options(url),
        )
    except ValueError:
        raise RedisUrlInvalid from None
    return ArqRedis(pool, job_serializer=to_json, job_deserializer=from_json, default_queue_name=QUEUE)


def _network_options(url: str) -> dict[str, bool]:
    """Return the options of network connections; by default redis-py does not check the host name in TLS."""
    if url.startswith("unix:"):
        return {}
    return {"socket_keepalive": True, **({"ssl_check_hostname": True} if url.startswith("rediss:") else {})}
