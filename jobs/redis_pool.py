"""Makes the connections to Redis, to a server of its own or to the one that sentinels name. Knows nothing of jobs."""

from collections.abc import Callable
from typing import Any, cast

from redis.asyncio import Connection, ConnectionPool, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError  # noqa: A004 - redis-py's

from jobs.redis_url import RedisAddress, read_redis_url

SOCKET_TIMEOUT_S = 5
CONNECT_TIMEOUT_S = 3
RETRIES = 2  # what takes longer, the callers wait out
MAX_PAUSE_S = 0.5


def make_pool(url: str) -> ConnectionPool:
    """Make the connections to the Redis at `url`; none is opened before it is needed.

    Raises:
        RedisUrlInvalid: `url` is not understood.
    """
    address = read_redis_url(url)
    options: dict[str, Any] = {
        "socket_timeout": SOCKET_TIMEOUT_S,
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        # With a frozen server, redis-py's own health check and its retry call each other without end: so no
        # `health_check_interval`, and a time limit that passed is not tried again.
        # A refused connection is an OSError, and is not tried again either: with sentinels each try to connect contains
        # all tries once more, at an address that may be dead, before the sentinels are asked anew.
        "retry": Retry(ExponentialBackoff(cap=MAX_PAUSE_S, base=0.05), RETRIES, (ConnectionError,)),
        "retry_on_error": [ConnectionError],
        **address.options,
    }
    if address.socket:
        return ConnectionPool(connection_class=UnixDomainSocketConnection, path=address.socket, **options)
    options["socket_keepalive"] = True
    if address.sentinels:
        pool = cast("Callable[..., ConnectionPool]", _SentinelPool)  # redis-py does not say the types of its sentinels
        return pool(address.service, _sentinels(address), ssl=address.is_encrypted, **options)
    return ConnectionPool(connection_class=SSLConnection if address.is_encrypted else Connection, **options)


def _sentinels(address: RedisAddress) -> Sentinel:
    options = {
        "socket_timeout": CONNECT_TIMEOUT_S,
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "ssl": address.is_encrypted,
        **address.sentinel_options,
    }
    return cast("Callable[..., Sentinel]", Sentinel)(address.sentinels, sentinel_kwargs=options)


class _SentinelPool(SentinelConnectionPool):
    """Closes the connections to the sentinels too, when all of its own are closed."""

    async def disconnect(self, inuse_connections: bool = True) -> None:  # noqa: FBT001, FBT002 - redis-py's signature
        await super().disconnect(inuse_connections)
        if inuse_connections:
            for sentinel in self.sentinel_manager.sentinels:
                await sentinel.aclose()
