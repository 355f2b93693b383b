"""How all processes reach Redis: with time limits, which a frozen one runs into, and JSON, which stays harmless."""

import json
from typing import cast

from arq import ArqRedis
from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError, RedisError  # noqa: A004 - redis-py's

from jobs.errors import RedisUrlWrong

QUEUE = "arq:queue"
SOCKET_TIMEOUT_S = 5
CONNECT_TIMEOUT_S = 3
RETRIES = 2
MAX_PAUSE_S = 0.5
TROUBLE = (RedisError, OSError)  # what any call may raise while Redis is away


def to_json(job: dict[str, object]) -> bytes:
    """Write a job; what JSON does not know, such as arq's own exceptions, is written as text."""
    return json.dumps(job, default=str).encode()


def from_json(text: bytes) -> dict[str, object]:
    """Read a job. Unlike pickle, nothing that somebody put into Redis can run here."""
    return cast("dict[str, object]", json.loads(text))


def connect(url: str) -> ArqRedis:
    """Give a client of the Redis at `url`, for the queue and for workers alike. It connects when it is first used.

    Raises:
        RedisUrlWrong: `url` cannot be read.
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
        raise RedisUrlWrong from None
    return ArqRedis(pool, job_serializer=to_json, job_deserializer=from_json, default_queue_name=QUEUE)


def _network_options(url: str) -> dict[str, bool]:
    """Give what only a network connection has. Of TLS, redis-py leaves out by default to compare the host's name."""
    if url.startswith("unix:"):
        return {}
    return {"socket_keepalive": True, **({"ssl_check_hostname": True} if url.startswith("rediss:") else {})}
