"""Whatever Earshot stands on goes away and comes back: no process ends, no note is lost, and people are told once."""

import asyncio
import os
import resource
import signal
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from jobs.redis_server import RedisServer, embedded_url
from storage.database import BUSY_TIMEOUT_S
from tests.end_to_end.installation import Installation, installed, running
from tests.end_to_end.outages import LONG_S, SLOW_FAKE, outlived
from tests.storage.postgres import Postgres, postgres

pytestmark = pytest.mark.asyncio(loop_scope="module")

REDIS_AWAY_S = 3.0
REDIS_MUTE_S = 3.0
TELEGRAM_AWAY_S = LONG_S * 2 / 3  # long enough for the note that runs to be done, and to be delivered in vain
SILENT = "In the queue. The queue does not answer at the moment"
DELAYED = "Your recording cannot be taken in at the moment."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def redis(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RedisServer]:
    """A Redis that Earshot did not start, and does not start again."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    await server.start()
    yield server
    await server.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory, redis: RedisServer) -> AsyncIterator[Installation]:
    """Earshot at work on that Redis and on SQLite."""
    options = {**SLOW_FAKE, "redis__url": redis.url}
    async with installed(tmp_path_factory.mktemp("place"), **options) as prepared, running(prepared) as at_work:
        yield at_work


async def test_redis_is_away(place: Installation, redis: RedisServer) -> None:
    async with outlived(place) as talk:
        assert redis.process is not None
        redis.process.kill()
        await place.status_of(talk.speak(), SILENT)
        await asyncio.sleep(REDIS_AWAY_S)
        await place.status_of(talk.speak(), SILENT)
        await redis.start()


async def test_redis_freezes(place: Installation, redis: RedisServer) -> None:
    async with outlived(place) as talk:
        assert redis.process is not None
        redis.process.send_signal(signal.SIGSTOP)
        await place.status_of(talk.speak(), SILENT)
        await asyncio.sleep(REDIS_MUTE_S)
        redis.process.send_signal(signal.SIGCONT)


async def test_redis_is_full(place: Installation, redis: RedisServer) -> None:
    async with outlived(place) as talk, Redis.from_url(redis.url) as owner:
        await owner.config_set("maxmemory", 1)
        await place.status_of(talk.speak(), SILENT)
        await asyncio.sleep(REDIS_MUTE_S)
        await owner.config_set("maxmemory", 0)


async def test_another_program_holds_the_database(place: Installation) -> None:
    async with outlived(place) as talk:
        with closing(sqlite3.connect(place.folder / "earshot.db")) as other:
            other.execute("BEGIN IMMEDIATE")
            await place.status_of(talk.speak(), DELAYED)
            await asyncio.sleep(BUSY_TIMEOUT_S)


async def test_the_disk_is_full(place: Installation) -> None:
    async with outlived(place) as talk:
        with full_disk(place):
            await place.status_of(talk.speak(), DELAYED)


async def test_telegram_refuses_connections(place: Installation) -> None:
    async with outlived(place) as talk:
        port = urlsplit(place.playground.url).port or 0
        await place.playground.stop()
        talk.speak()
        await asyncio.sleep(TELEGRAM_AWAY_S)
        await place.playground.start(port)


async def test_telegram_freezes(place: Installation) -> None:
    async with outlived(place) as talk:
        place.playground.pause()
        talk.speak()
        await asyncio.sleep(TELEGRAM_AWAY_S)
        place.playground.resume()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Postgres]:
    """A PostgreSQL."""
    with postgres() as running_server:
        yield running_server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def elsewhere(tmp_path_factory: pytest.TempPathFactory, server: Postgres) -> AsyncIterator[Installation]:
    """Earshot at work on its own Redis and on PostgreSQL."""
    options = {**SLOW_FAKE, "database__url": server.url}
    async with installed(tmp_path_factory.mktemp("elsewhere"), **options) as prepared, running(prepared) as at_work:
        yield at_work


@pytest.mark.slow
async def test_the_embedded_redis_is_killed(elsewhere: Installation) -> None:
    async with outlived(elsewhere) as talk:
        async with Redis.from_url(embedded_url(elsewhere.folder)) as client:
            pid = (await client.info("server"))["process_id"]
        os.kill(pid, signal.SIGKILL)
        talk.speak()


@pytest.mark.slow
async def test_postgresql_is_restarted(elsewhere: Installation, server: Postgres) -> None:
    async with outlived(elsewhere) as talk:
        await asyncio.to_thread(server.stop)
        await elsewhere.status_of(talk.speak(), DELAYED)
        server.start()


@contextmanager
def full_disk(place: Installation) -> Iterator[None]:
    """Let no file of the bot and of the workers grow: as on a disk without room, what they write fails."""
    children = place.children(" bot ")
    before = [resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in children]
    for pid, (_, most) in zip(children, before, strict=True):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, most))
    try:
        yield
    finally:
        for pid, limits in zip(children, before, strict=True):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
