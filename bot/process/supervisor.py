"""Supervises the embedded Redis, the workers and the bot as child processes (`earshot run`)."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager

import structlog

from bot.config.settings import Settings
from bot.process.child import Child
from bot.process.sizing import memory_gib, suitable_threads, suitable_workers
from engine import Fault, cores, uses_all_cores
from jobs.redis_server import STOP_S as REDIS_STOP_S, RedisServer
from jobs.resilience import Outage

log = structlog.get_logger(__name__)

# More than the bot gives itself: FINISH_S in bot/process/bot.py and CONFIRM_S in bot/telegram/updates.py.
BOT_STOPS_WITHIN_S = 20.0
EXTRA_STOP_S = 10.0
REDIS_PAUSE_S = 1.0
REDIS_STEADY_S = 5.0
ROLE = ("-m", "bot")
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def longest_stop_s(grace_s: float) -> float:
    """Return the longest time in seconds that stopping takes: bot, workers, Redis in turn, each killed at last."""
    return BOT_STOPS_WITHIN_S + grace_s + EXTRA_STOP_S + REDIS_STOP_S


async def supervise(bot: Child, workers: Sequence[Child], *, grace_s: float) -> None:
    """Keep all children running until a stop signal; then stop the bot first, so that nothing new comes in.

    Raises:
        CannotStart: One of them cannot start.
        Exception: Whatever else ended the task that keeps one of them running.
    """
    with stop_signals([bot, *workers]) as stop:
        keeping = [asyncio.create_task(child.keep_running()) for child in (*workers, bot)]
        stopped = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait([*keeping, stopped], return_when=asyncio.FIRST_COMPLETED)
        finally:
            log.info("stopping")
            await bot.stop(BOT_STOPS_WITHIN_S)
            await asyncio.gather(*(worker.stop(grace_s + EXTRA_STOP_S) for worker in workers))
            for task in (*keeping, stopped):
                task.cancel()
            await asyncio.gather(*keeping, stopped, return_exceptions=True)
        for task in done:
            task.result()


@contextmanager
def stop_signals(children: Sequence[Child]) -> Iterator[asyncio.Event]:
    """Set the event on the first SIGTERM or SIGINT; kill the children on the second."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def on_signal() -> None:
        if stop.is_set():
            for child in children:
                child.kill()
        stop.set()

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, on_signal)
    try:
        yield stop
    finally:
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)


async def run_all(settings: Settings) -> None:
    """Run everything on this machine until a stop signal."""
    async with embedded_redis(settings):
        bot, workers = make_children(settings, os.environ)
        log.info("started", workers=len(workers), model=settings.engine.model)
        await supervise(bot, workers, grace_s=settings.workers.grace_s)


def make_children(settings: Settings, environment: Mapping[str, str]) -> tuple[Child, list[Child]]:
    """Prepare the bot and as many workers as are set, or as suit the machine."""
    count = settings.workers.count or suitable_workers(
        cores(), memory_gib(), reads_on_all_cores=uses_all_cores(settings.engine)
    )
    threads = settings.engine.threads or suitable_threads(cores(), count)
    environment = {**environment, "EARSHOT_ENGINE__THREADS": str(threads)}
    if sys.stderr.isatty():
        environment["FORCE_COLOR"] = "1"  # the children's lines pass through a pipe
    names = [f"worker-{number}" for number in range(1, count + 1)]
    workers = [Child(name, [*ROLE, "worker", "--until-stdin-closes", "--name", name], environment) for name in names]
    return Child("bot", [*ROLE, "bot", "--until-stdin-closes"], environment), workers


@asynccontextmanager
async def embedded_redis(settings: Settings) -> AsyncIterator[None]:
    """Run the embedded Redis during the block, unless another one is configured."""
    if settings.redis.url:
        yield
        return
    server = RedisServer(settings.data_dir)
    await server.start()
    keeping = asyncio.create_task(keep_redis_running(server))
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await server.stop()


async def keep_redis_running(server: RedisServer) -> None:
    """Restart Redis whenever it dies, after `REDIS_PAUSE_S`; the ledger holds everything that it loses."""
    outage = Outage("redis")
    while True:
        steady = asyncio.get_running_loop().call_later(REDIS_STEADY_S, outage.report_success)
        code = await server.wait()
        steady.cancel()
        outage.report_failure(ChildProcessError(f"exit code {code}; its last words: {server.last_words()}"))
        await asyncio.sleep(REDIS_PAUSE_S)
        try:
            await server.start()
        except (Fault, OSError) as error:
            outage.report_failure(error)
