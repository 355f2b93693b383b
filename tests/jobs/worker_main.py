"""The main function of a worker process for tests."""

import asyncio
import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import structlog

from engine import Audio, Engine, EngineSettings
from jobs.queue import connect
from jobs.worker import MB, run_worker
from storage.artefacts.artefacts import Artefacts
from storage.artefacts.outbox import Outbox
from storage.artefacts.store import open_stores
from storage.database import open_database
from storage.telegram.ledger import TelegramLedger
from tests.jobs.doors import FileDoor
from tests.storage.samples import BOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a worker is to be, which says on `log` what it does."""

    data_dir: Path
    url: str
    log: Path
    fake_rtf: float
    grace_s: float
    max_memory_mb: int
    bot_id: int = BOT
    artefacts_url: str = ""
    database_url: str = ""


class Hoarding(Engine):
    """Keeps 100 MB of every note, as a leak would."""

    def decode(self, path: Path, cancelled: threading.Event | None = None) -> Audio:
        hoard.append(b"x" * (100 * MB))
        return super().decode(path, cancelled)


hoard: list[bytes] = []


def main(options: Options) -> None:
    """Run the worker until it is told to stop."""
    log = os.open(options.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 2)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(_work(options))


async def _work(options: Options) -> None:
    database = await open_database(options.database_url, options.data_dir)
    redis = connect(options.url)
    ledger = TelegramLedger(database)
    engine = Hoarding if options.max_memory_mb else Engine
    await run_worker(
        engine=engine.open(EngineSettings(model="fake", fake_rtf=options.fake_rtf)),
        ledger=ledger,
        redis=redis,
        door=FileDoor(options.data_dir / "door.jsonl", ledger, bot_id=options.bot_id),
        artefacts=Artefacts(ledger, open_stores(options.artefacts_url, options.data_dir), Outbox(options.data_dir), 3),
        data_dir=options.data_dir,
        timeout_s=600,
        grace_s=options.grace_s,
        max_memory_mb=options.max_memory_mb,
    )
    await redis.aclose(close_connection_pool=True)
    await database.close()
