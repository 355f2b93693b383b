"""Times the start of `earshot worker`, with a Redis and a ledger of its own, until it is ready for a job."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from bot.config.settings import CONFIG, PREFIX, PROJECT
from jobs.redis_server import RedisServer
from tests.bench.contest import ContestantFailed

READY = b"worker_ready"
LONGEST_REASON = 300
NO_TOKEN = "1:bench"  # noqa: S105 - a worker talks to Telegram only when it has something to say


def seconds_to_start(engine: Mapping[str, str], folder: Path, times: int) -> list[float]:
    """Start a worker `times` times with these settings of the engine.

    It is started once before, so that its ledger is there and its model prepared.

    Raises:
        ContestantFailed: a worker ended before it was ready.
    """
    return asyncio.run(_seconds_to_start(_environment(engine, folder), folder, times))


async def _seconds_to_start(environment: Mapping[str, str], folder: Path, times: int) -> list[float]:
    server = RedisServer(folder)
    await server.start()
    try:
        return [await _one_start(environment) for _ in range(times + 1)][1:]
    finally:
        await server.stop()


async def _one_start(environment: Mapping[str, str]) -> float:
    begun = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "worker", "--until-stdin-closes",
        cwd=PROJECT, env=environment, stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    last_line = b""
    try:
        while process.stderr and (line := await process.stderr.readline()):
            if READY in line:
                return time.perf_counter() - begun
            last_line = line.strip() or last_line
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.communicate()
    raise ContestantFailed(f"the worker failed: {last_line[-LONGEST_REASON:].decode(errors='replace')}")


def _environment(engine: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Give an environment without the user's own settings, whose queue and ledger are not to be touched."""
    folder.mkdir()
    (config := folder / "settings.toml").touch()
    others = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    ours = {CONFIG: str(config), f"{PREFIX}DATA_DIR": str(folder), f"{PREFIX}TELEGRAM__TOKEN": NO_TOKEN}
    return {**others, **ours, **{f"{PREFIX}ENGINE__{name.upper()}": value for name, value in engine.items()}}
