"""A worker process for tests: `python worker_main.py <data_dir> <redis url> <fake_rtf> <grace_s> <max_memory_mb>`."""

import asyncio
import sys
import threading
from pathlib import Path

import structlog

from engine.audio.samples import Audio
from engine.settings import EngineSettings
from engine.speech import Engine
from jobs.queue import connect
from jobs.worker import MB, run_worker
from storage.database import open_database
from storage.ledger import Ledger
from storage.recordings import Recordings
from tests.jobs.doors import FileDoor


class Hoarding(Engine):
    """Keeps 100 MB of every note, as a leak would."""

    def decode(self, path: Path, cancelled: threading.Event | None = None) -> Audio:
        hoard.append(b"x" * (100 * MB))
        return super().decode(path, cancelled)


hoard: list[bytes] = []


async def main(data_dir: Path, redis_url: str, fake_rtf: float, grace_s: float, max_memory_mb: int) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    database = await open_database("", data_dir)
    redis = connect(redis_url)
    await run_worker(
        engine=(Hoarding if max_memory_mb else Engine).open(EngineSettings(model="fake", fake_rtf=fake_rtf)),
        ledger=Ledger(database),
        redis=redis,
        door=FileDoor(data_dir / "door.jsonl"),
        recordings=Recordings(data_dir / "recordings", 3),
        data_dir=data_dir,
        timeout_s=600,
        grace_s=grace_s,
        max_memory_mb=max_memory_mb,
    )
    await redis.aclose(close_connection_pool=True)
    await database.close()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5])))
