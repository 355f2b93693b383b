"""Starts a worker as its owner does, beside a Redis and a ledger of its own, and looks when it is ready for a job."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from bot.bench.contest import ContestantFailed
from bot.config.settings import CONFIG, PREFIX, PROJECT
from jobs.redis_server import RedisServer

READY = b"worker_ready"
LAST_WORDS = 300
NO_TOKEN = "1:bench"  # noqa: S105 - a worker talks to Telegram only when it has something to say


def seconds_to_start(engine: Mapping[str, str], folder: Path, times: int) -> list[float]:
    """Start a worker so many times, with these settings of the engine, after once to make its ledger.

    Raises:
        ContestantFailed: it ended before it was ready.
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
        sys.executable, "-m", "bot", "worker", cwd=PROJECT, env=environment, stderr=asyncio.subprocess.PIPE
    )  # fmt: skip
    said = b""
    while process.stderr and (line := await process.stderr.readline()):
        if READY in line:
            took = time.perf_counter() - begun
            process.terminate()
            await process.communicate()
            return took
        said = line.strip() or said
    raise ContestantFailed(f"the worker failed: {said[-LAST_WORDS:].decode(errors='replace')}")


def _environment(engine: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Leave the owner's own settings out: his queue and his ledger are none of our business."""
    folder.mkdir()
    (config := folder / "settings.toml").touch()
    others = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    ours = {CONFIG: str(config), f"{PREFIX}DATA_DIR": str(folder), f"{PREFIX}TELEGRAM__TOKEN": NO_TOKEN}
    return {**others, **ours, **{f"{PREFIX}ENGINE__{name.upper()}": value for name, value in engine.items()}}
