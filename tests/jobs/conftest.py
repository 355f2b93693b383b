import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from arq import ArqRedis

from engine.request import Request
from engine.settings import EngineSettings
from engine.speech import Engine
from jobs import reaper, worker
from jobs.queue import Queue, connect
from jobs.redis import QUEUE
from jobs.redis_server import RedisServer
from jobs.transcription import transcribe_note
from jobs.worker_context import WorkerContext
from storage.database import open_database
from storage.ledger import Ledger
from storage.note import Note
from storage.recordings import Recordings
from tests.jobs.doors import FileDoor
from tests.jobs.sounds import sound
from tests.storage.samples import incoming

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    database = await open_database("", tmp_path)
    yield Ledger(database)
    await database.close()


@pytest.fixture
async def redis(server: RedisServer) -> AsyncIterator[ArqRedis]:
    redis = connect(server.url)
    yield redis
    await redis.aclose(close_connection_pool=True)


@pytest.fixture
def queue(redis: ArqRedis, ledger: Ledger) -> Queue:
    return Queue(redis, ledger)


@pytest.fixture
def door(tmp_path: Path) -> FileDoor:
    return FileDoor(tmp_path / "door.jsonl")


@pytest.fixture
def context(tmp_path: Path, ledger: Ledger, door: FileDoor) -> WorkerContext:
    return WorkerContext(
        worker_id="worker-a",
        ledger=ledger,
        door=door,
        engine=Engine.open(EngineSettings(model="fake")),
        recordings=Recordings(tmp_path / "recordings", 3),
        scratch=tmp_path / "scratch",
        timeout_s=60,
        defaults=Request(),
    )


@pytest.fixture
def quick_reaper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaper, "QUIET_S", 0.0)
    for module in (reaper, worker):
        monkeypatch.setattr(module, "INTERVAL_S", 0.3)


@dataclass
class Arrivals:
    """Writes sounds and records notes of them; `texts` has what each should be answered with."""

    folder: Path
    ledger: Ledger
    texts: dict[str, str] = field(default_factory=dict)

    async def note(
        self,
        *,
        seconds: float = 1.0,
        claimed_s: float | None = None,
        seed: int | None = None,
        chat_id: int = 7,
        **of: str,
    ) -> Note:
        seed = len(self.texts) if seed is None else seed
        path = self.folder / f"sound-{seed}.wav"
        text = sound(path, seconds, seed)
        note, _ = await self.ledger.record(
            incoming(
                file_id=str(path),
                chat_id=chat_id,
                claimed_s=claimed_s or seconds,
                file_unique_id=of.get("file_unique_id"),
            )
        )
        self.texts[note.id] = text
        return note


@pytest.fixture
def arrivals(tmp_path: Path, ledger: Ledger) -> Arrivals:
    return Arrivals(tmp_path, ledger)


@dataclass
class Workers:
    """Real worker processes."""

    data_dir: Path
    url: str
    running: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def start(
        self, *, fake_rtf: float = 0, grace_s: float = 10, max_memory_mb: int = 0
    ) -> asyncio.subprocess.Process:
        log = (self.data_dir / f"worker-{len(self.running)}.log").open("wb")
        with contextlib.closing(log):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.jobs.worker_main", str(self.data_dir), self.url),
                *(str(fake_rtf), str(grace_s), str(max_memory_mb)),
                cwd=ROOT,
                stderr=log,
            )
        self.running.append(process)
        return process

    async def end(self) -> None:
        for process in self.running:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGCONT)
                    process.kill()
            await process.wait()

    def logs(self) -> str:
        return "\n".join(path.read_text() for path in sorted(self.data_dir.glob("worker-*.log")))


@pytest.fixture
async def workers(tmp_path: Path, server: RedisServer) -> AsyncIterator[Workers]:
    workers = Workers(tmp_path, server.url)
    yield workers
    await workers.end()


async def until(condition: Callable[[], Awaitable[bool] | bool], timeout_s: float = 30) -> float:
    """Wait for something to become true; gives how many seconds it took."""
    began = time.monotonic()
    while True:
        outcome = condition()
        if outcome if isinstance(outcome, bool) else await outcome:
            return time.monotonic() - began
        if time.monotonic() - began > timeout_s:
            raise AssertionError(f"not within {timeout_s} s")
        await asyncio.sleep(0.05)


async def waiting(queue: Queue) -> list[str]:
    """Give the ids of the notes in the queue that no worker runs, in their order."""
    ids = [note_id.decode() for note_id in await queue.redis.zrange(QUEUE, 0, -1)]
    leases = await queue.redis.mget([f"arq:in-progress:{note_id}" for note_id in ids]) if ids else []
    return [note_id for note_id, lease in zip(ids, leases, strict=True) if lease in {None, b"later"}]


async def position(queue: Queue, note: Note) -> int:
    """Give the note's turn: 1 for the next to run, 0 when it runs or is not queued."""
    ids = await waiting(queue)
    return ids.index(note.id) + 1 if note.id in ids else 0


async def renew() -> None:
    """There is no Redis here."""


async def work_on(context: WorkerContext, note: Note) -> Note:
    await transcribe_note(context, note.id, renew)
    found = await context.ledger.get(note.id)
    assert found is not None
    return found
