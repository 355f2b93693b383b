import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from engine.request import Request
from engine.settings import EngineSettings
from engine.speech import Engine
from jobs import reaper, worker
from jobs.delivery import deliver
from jobs.leases import Leases
from jobs.lua_scripts import LuaScripts
from jobs.queue import Queue, connect
from jobs.redis import PrefixedRedis
from jobs.redis_server import RedisServer
from jobs.transcription import transcribe_note
from jobs.worker_context import WorkerContext
from storage.artefacts.artefacts import Artefacts
from storage.artefacts.outbox import Outbox
from storage.artefacts.store import open_stores
from storage.database import open_database
from storage.note import Note
from storage.telegram.ledger import TelegramLedger
from storage.telegram.message import TelegramNote
from tests.forks import FORKS
from tests.jobs import worker_main
from tests.jobs.doors import FileDoor
from tests.jobs.listening_engine import Listening
from tests.jobs.sounds import sound
from tests.jobs.worker_main import Options
from tests.storage.samples import BOT, incoming, record

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def ledger(data_dir: Path) -> AsyncIterator[TelegramLedger]:
    database = await open_database("", data_dir)
    yield TelegramLedger(database)
    await database.close()


@pytest.fixture
async def redis(server: RedisServer) -> AsyncIterator[PrefixedRedis]:
    redis = connect(server.url)
    yield redis
    await redis.aclose(close_connection_pool=True)


@pytest.fixture
def queue(redis: PrefixedRedis) -> Queue:
    return Queue(redis)


@pytest.fixture
def scripts(redis: PrefixedRedis) -> LuaScripts:
    return LuaScripts(redis)


@pytest.fixture
def door(tmp_path: Path, ledger: TelegramLedger) -> FileDoor:
    return FileDoor(tmp_path / "door.jsonl", ledger)


@pytest.fixture
def context(tmp_path: Path, ledger: TelegramLedger, door: FileDoor) -> WorkerContext:
    return WorkerContext(
        worker_id="worker-a",
        ledger=ledger,
        leases=Leases(ledger),
        door=door,
        engine=Engine.open(EngineSettings(model="fake")),
        artefacts=Artefacts(ledger, open_stores("", tmp_path), Outbox(tmp_path), 3),
        scratch=tmp_path / "scratch",
        timeout_s=60,
        defaults=Request(),
    )


@pytest.fixture
def engine(context: WorkerContext) -> Listening:
    return Listening(context.engine)


@pytest.fixture
def context_with(context: WorkerContext, engine: Listening) -> WorkerContext:
    return replace(context, engine=engine)


@pytest.fixture
def quick_reaper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaper, "QUIET_S", 0.0)
    for module in (reaper, worker):
        monkeypatch.setattr(module, "INTERVAL_S", 0.3)


@dataclass
class Arrivals:
    """Writes sounds and records notes of them; `texts` has what each should be answered with."""

    folder: Path
    ledger: TelegramLedger
    texts: dict[str, str] = field(default_factory=dict)

    async def note(
        self,
        *,
        seconds: float = 1.0,
        claimed_s: float | None = None,
        seed: int | None = None,
        chat_id: int = 7,
        **of: str,
    ) -> TelegramNote:
        seed = len(self.texts) if seed is None else seed
        path = self.folder / f"sound-{seed}.wav"
        text = sound(path, seconds, seed)
        note, _ = await record(
            self.ledger,
            incoming(
                file_id=str(path),
                chat_id=chat_id,
                user_id=chat_id,
                claimed_s=claimed_s or seconds,
                file_unique_id=of.get("file_unique_id"),
            ),
        )
        self.texts[note.id] = text
        return note


@pytest.fixture
def arrivals(tmp_path: Path, ledger: TelegramLedger) -> Arrivals:
    return Arrivals(tmp_path, ledger)


class WorkerProcess:
    """A real worker process."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._process = FORKS.Process(target=worker_main.main, args=(options,), daemon=True)
        self._process.start()

    @property
    def exit_code(self) -> int | None:
        """What it ended with; None while it runs."""
        return self._process.exitcode

    def send(self, number: signal.Signals) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    async def wait(self, timeout_s: float = 30) -> int | None:
        await asyncio.to_thread(self._process.join, timeout_s)
        return self.exit_code

    async def end(self) -> None:
        self._process.kill()
        await self.wait()

    async def until_ready(self) -> None:
        await until(lambda: self.options.log.exists() and "worker_ready" in self.options.log.read_text())


@dataclass
class Workers:
    """Real worker processes."""

    data_dir: Path
    url: str
    started: list[WorkerProcess] = field(default_factory=list)

    async def start(  # noqa: PLR0913 - all that a worker may be
        self,
        *,
        fake_rtf: float = 0,
        grace_s: float = 10,
        max_memory_mb: int = 0,
        bot_id: int = BOT,
        artefacts_url: str = "",
        database_url: str = "",
    ) -> WorkerProcess:
        options = Options(
            data_dir=self.data_dir,
            url=self.url,
            log=self.data_dir / f"worker-{len(self.started)}.log",
            fake_rtf=fake_rtf,
            grace_s=grace_s,
            max_memory_mb=max_memory_mb,
            bot_id=bot_id,
            artefacts_url=artefacts_url,
            database_url=database_url,
        )
        self.started.append(await asyncio.to_thread(WorkerProcess, options))
        return self.started[-1]

    async def end(self) -> None:
        for process in self.started:
            await process.end()

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
    redis = queue.redis
    jobs = [*await redis.zrange(redis.key("later"), 0, -1), *await redis.zrange(redis.key("waiting"), 0, -1)]
    return [job.decode().removeprefix(redis.job_id("")) for job in jobs]


async def position(queue: Queue, note: Note) -> int:
    """Give the note's turn: 1 for the next to run, 0 when it runs or is not queued."""
    ids = await waiting(queue)
    return ids.index(note.id) + 1 if note.id in ids else 0


async def work_on(context: WorkerContext, note: Note) -> Note:
    if ended := await transcribe_note(context, note.id):
        await deliver(context, ended)
    found = await context.ledger.get(note.id)
    assert found is not None
    return found
