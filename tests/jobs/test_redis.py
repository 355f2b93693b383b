import asyncio
import pickle
import signal
import time
from collections.abc import AsyncIterator

import pytest

from jobs import redis_pool
from jobs.redis import REDIS_ERRORS, connect, from_json, to_json
from jobs.redis_server import RedisServer


@pytest.fixture
async def silent() -> AsyncIterator[str]:
    """Give the URL of a server that accepts and never answers."""
    writers: list[asyncio.StreamWriter] = []

    def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for writer in writers:
            writer.transport.abort()


async def test_a_frozen_redis_is_noticed_at_the_time_limit(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_pool, "SOCKET_TIMEOUT_S", 0.3)
    client = connect(f"{silent}/3")
    began = time.monotonic()
    for _ in range(2):
        with pytest.raises(REDIS_ERRORS):
            await client.ping()
    assert time.monotonic() - began < 5
    await client.aclose(close_connection_pool=True)


async def test_a_redis_that_freezes_later_is_noticed_too(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_pool, "SOCKET_TIMEOUT_S", 0.3)
    client = connect(server.url)
    assert server.process is not None
    await client.ping()
    server.process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(REDIS_ERRORS):
        await client.ping()
    assert time.monotonic() - began < 5
    server.process.send_signal(signal.SIGCONT)
    assert await client.ping()
    await client.aclose(close_connection_pool=True)


def test_the_time_limits_hold_for_every_connection() -> None:
    options = connect("redis://host").connection_pool.connection_kwargs
    assert options["socket_timeout"] == 5
    assert options["socket_keepalive"]


def test_jobs_are_json_and_never_pickles() -> None:
    assert from_json(to_json({"a": ["id"], "r": ValueError("no")})) == {"a": ["id"], "r": "no"}
    with pytest.raises(ValueError, match=r"codec can't decode|Expecting value"):
        from_json(pickle.dumps({"a": 1}))
