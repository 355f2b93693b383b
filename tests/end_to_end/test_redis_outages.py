"""Redis goes away in every way that there is, and comes back."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from jobs.redis_server import RedisServer, embedded_url
from tests.end_to_end.installation import Installation, installed, running
from tests.end_to_end.outages import SLOW_FAKE, outlived

pytestmark = pytest.mark.asyncio(loop_scope="module")

AWAY_S = float(os.environ.get("AWAY_S", "10"))
SILENT = "The queue does not answer at the moment"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def redis(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RedisServer]:
    """A Redis that Earshot did not start."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    await server.start()
    yield server
    await server.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory, redis: RedisServer) -> AsyncIterator[Installation]:
    """Earshot at work on that Redis."""
    options = {**SLOW_FAKE, "redis__url": redis.url}
    async with installed(tmp_path_factory.mktemp("place"), **options) as prepared, running(prepared) as at_work:
        yield at_work


async def test_notes_outlive_a_redis_that_is_away(place: Installation, redis: RedisServer) -> None:
    async with outlived(place) as talk:
        await killed(redis)
        await place.status_of(talk.speak(), SILENT)
        await asyncio.sleep(AWAY_S)
        await place.status_of(talk.speak(), SILENT)
        await redis.start()


async def test_notes_outlive_a_redis_that_freezes(place: Installation, redis: RedisServer) -> None:
    async with outlived(place) as talk:
        assert redis.process is not None
        redis.process.send_signal(signal.SIGSTOP)
        await place.status_of(talk.speak(), SILENT)
        await asyncio.sleep(AWAY_S / 2)
        redis.process.send_signal(signal.SIGCONT)


async def test_notes_outlive_a_redis_that_is_full(place: Installation, redis: RedisServer) -> None:
    async with outlived(place) as talk, Redis.from_url(redis.url) as owner:
        await owner.config_set("maxmemory", 1)
        await place.status_of(talk.speak(), SILENT)
        await asyncio.sleep(AWAY_S / 2)
        await owner.config_set("maxmemory", 0)


async def test_the_embedded_redis_is_started_again(tmp_path: Path) -> None:
    async with installed(tmp_path, **SLOW_FAKE) as prepared, running(prepared) as place, outlived(place) as talk:
        async with Redis.from_url(embedded_url(place.folder)) as client:
            pid = (await client.info("server"))["process_id"]
        os.kill(pid, signal.SIGKILL)
        talk.speak()


async def killed(redis: RedisServer) -> None:
    """End the server without a warning."""
    assert redis.process is not None
    redis.process.kill()
    await redis.process.wait()
