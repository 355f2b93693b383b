"""Measures picking and queuing in Redis' own time, as its command statistics tell it."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from jobs.estimate import estimate_wait
from jobs.lua_scripts import LuaScripts
from jobs.queue import Queue
from jobs.redis import PrefixedRedis, connect
from jobs.redis_server import RedisServer
from storage.database import open_database
from storage.telegram.ledger import TelegramLedger
from tests.scale.figures import Figure
from tests.scale.filling import LEASE_MS, fill_queue
from tests.storage.samples import incoming, record

PICK_GOAL_MS = 0.2
ENQUEUE_GOAL_MS = 1.0
REPEATED = 500
SENT = ("evalsha", "zrange", "mget")


async def measure_redis_time(folder: Path, *, waiting: int, running: int) -> list[Figure]:
    """Return how long Redis works for a pick, for the poll of an idle worker, and for a new note with its place."""
    server = RedisServer(folder)
    await server.start()
    redis, idle = connect(server.url, "full"), connect(server.url, "idle")
    database = await open_database("", folder)
    try:
        await fill_queue(redis, waiting=waiting, running=running)
        await fill_queue(idle, waiting=0, running=running)
        beside = f"{waiting:,} waiting, {running:,} running"
        return [
            Figure(name=f"pick, {beside}", value=await _pick_ms(redis), unit="ms", goal=PICK_GOAL_MS),
            Figure(
                name=f"poll of an idle worker, {running:,} running",
                value=await _pick_ms(idle),
                unit="ms",
                goal=PICK_GOAL_MS,
            ),
            Figure(
                name=f"enqueue with position and wait, {beside}",
                value=await _enqueue_ms(redis, TelegramLedger(database)),
                unit="ms",
                goal=ENQUEUE_GOAL_MS,
            ),
        ]
    finally:
        await database.close()
        for client in (redis, idle):
            await client.aclose(close_connection_pool=True)
        await server.stop()


async def _pick_ms(redis: PrefixedRedis) -> float:
    scripts = LuaScripts(redis)
    await redis.config_resetstat()
    for number in range(REPEATED):
        await scripts.pick(f"token-{number}", LEASE_MS)
    return await _spent_ms(redis) / REPEATED


async def _enqueue_ms(redis: PrefixedRedis, ledger: TelegramLedger) -> float:
    queue = Queue(redis)
    arrived = [(await record(ledger, incoming(chat_id=chat)))[0] for chat in range(1, REPEATED + 1)]
    await redis.config_resetstat()
    for note in arrived:
        await estimate_wait(await ledger.speed(), queue, note)
        await queue.enqueue(note)
    return await _spent_ms(redis) / REPEATED


async def _spent_ms(redis: PrefixedRedis) -> float:
    """Return the time that Redis has worked on what clients sent since its statistics were reset.

    What ZRANGE took inside of scripts counts twice; so the value is rather too high.
    """
    told = cast("dict[str, dict[str, float]]", await redis.info("commandstats"))
    return sum(told[f"cmdstat_{name}"]["usec"] for name in SENT if f"cmdstat_{name}" in told) / 1000
