"""Starts bots and workers quickly, by forking from a process that has imported everything."""

import asyncio
import multiprocessing
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from multiprocessing.context import ForkServerProcess

from bot.config.log import configure_logging
from bot.config.settings import Settings
from bot.process.parent_watch import stop_when_parent_exits
from tests.chaos.countdown import Countdown
from tests.forks import FORKS

ENDS_WITHIN_S = 20
STOP_S = 60

Role = Callable[[Settings], Coroutine[object, object, None]]


@asynccontextmanager
async def living(role: Role, settings: Settings, countdown: Countdown | None = None) -> AsyncIterator[None]:
    """Run a process inside the block, and end it with SIGTERM; it has to exit with 0."""
    process = await _start(role, settings, countdown)
    try:
        yield
    finally:
        process.terminate()
        await _joined(process, STOP_S)
    assert process.exitcode == 0


async def ended(role: Role, settings: Settings, countdown: Countdown) -> str:
    """Run a process until it dies at its line or ends by itself, and give its report; nothing if it did neither."""
    process = await _start(role, settings, countdown)
    await _joined(process, ENDS_WITHIN_S)
    return countdown.report.read_text() if countdown.report.exists() else ""


async def _start(role: Role, settings: Settings, countdown: Countdown | None) -> ForkServerProcess:
    process = FORKS.Process(target=_live, args=(role, settings, countdown or nullcontext()), daemon=True)
    await asyncio.to_thread(process.start)
    return process


async def _joined(process: ForkServerProcess, within_s: float) -> None:
    """Wait until a process ended; who takes too long is killed."""
    await asyncio.to_thread(process.join, within_s)
    process.kill()
    await asyncio.to_thread(process.join)


def _live(role: Role, settings: Settings, tracing: AbstractContextManager[object]) -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    os.dup2(parent.sentinel, 0)
    stop_when_parent_exits()
    log = os.open(settings.data_dir / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 2)
    configure_logging(settings, "forked")
    with tracing:
        asyncio.run(role(settings))
