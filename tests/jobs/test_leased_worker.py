"""A worker in this very process, and what arq by itself would lose or spoil."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from engine.audio.samples import Audio
from engine.request import Progress, Request
from engine.transcript import Transcript
from jobs import engine_threads, worker as worker_module
from jobs.errors import EngineStuck
from jobs.leased_worker import LeasedWorker
from jobs.lua_scripts import LuaScripts, QueuedJob
from jobs.queue import Queue
from jobs.queue_report import queue_report
from jobs.redis import PrefixedRedis
from jobs.speech_engine import SpeechEngine
from jobs.worker import run_worker
from jobs.worker_context import WorkerContext
from storage.ledger import Ledger
from tests.jobs.conftest import Arrivals, position, until
from tests.jobs.doors import FileDoor
from tests.storage.samples import DOOR, unfinished

pytestmark = pytest.mark.usefixtures("quick_reaper")

LIMIT_S = 2.0


@asynccontextmanager
async def working(
    context: WorkerContext,
    redis: PrefixedRedis,
    engine: SpeechEngine | None = None,
    *,
    notes_at_once: int = 1,
    max_memory_mb: int = 0,
) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(
        run_worker(
            engine=engine or context.engine,
            ledger=context.ledger,
            redis=redis,
            door=context.door,
            artefacts=context.artefacts,
            data_dir=context.scratch.parent,
            timeout_s=LIMIT_S,
            grace_s=0,
            notes_at_once=notes_at_once,
            max_memory_mb=max_memory_mb,
        )
    )
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, EngineStuck):
            await task


async def told(ledger: Ledger) -> bool:
    return await unfinished(ledger) == []


async def forgotten(redis: PrefixedRedis) -> bool:
    """Tell whether Redis has nothing more of any note, as it is a moment after the last was told."""
    return not any([await redis.keys(pattern) for pattern in ("arq:*", "earshot:lengths", "earshot:tokens")])


@pytest.mark.parametrize(
    "payload", [None, b"\x80\x04nonsense", b'{"f":"unknown","a":[],"k":{},"t":null,"et":1}', b"{}"]
)
async def test_a_job_that_arq_drops_comes_back(  # noqa: PLR0913, PLR0917 - fixtures
    payload: bytes | None,
    context: WorkerContext,
    queue: Queue,
    redis: PrefixedRedis,
    arrivals: Arrivals,
    door: FileDoor,
) -> None:
    note = await arrivals.note()
    await queue.enqueue(note)
    key = f"arq:job:{redis.job_id(note.id)}"
    await (redis.delete(key) if payload is None else redis.set(key, payload))
    async with working(context, redis) as task:
        await until(lambda: told(context.ledger))
        assert not task.done()
    assert [event["text"] for event in door.events("done")] == [arrivals.texts[note.id]]


async def test_a_bug_in_a_job_does_not_end_the_worker(
    context: WorkerContext, queue: Queue, redis: PrefixedRedis, arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_: object) -> None:
        raise ZeroDivisionError

    note, sound = await arrivals.note(), await arrivals.note()
    monkeypatch.setattr("jobs.transcription.Transcription", explode)
    await queue.enqueue(note)
    with capture_logs() as logs:
        async with working(context, redis) as task:
            await until(lambda: any(line["event"] == "internal" for line in logs))
            monkeypatch.undo()
            await queue.enqueue(sound)

            async def answered() -> bool:
                found = await context.ledger.get(sound.id)
                return found is not None and found.delivered_at is not None

            await until(answered)
            assert not task.done()


async def test_a_run_that_trouble_with_redis_ended_before_it_began_comes_again(  # noqa: PLR0913, PLR0917 - fixtures
    context: WorkerContext,
    queue: Queue,
    redis: PrefixedRedis,
    arrivals: Arrivals,
    door: FileDoor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begin, begun = LeasedWorker.run_job, []

    async def run_job(worker: LeasedWorker, job_id: str, score: int) -> None:
        begun.append(job_id)
        if len(begun) == 1:
            raise ConnectionError
        await begin(worker, job_id, score)

    monkeypatch.setattr(LeasedWorker, "run_job", run_job)
    note = await arrivals.note(claimed_s=3600)
    await queue.enqueue(note)

    async def told_once_the_lease_is_over() -> bool:
        await redis.zadd(redis.key("running"), {redis.job_id(note.id): 1}, xx=True)
        return await told(context.ledger)

    async with working(context, redis):
        await until(lambda: bool(begun))
        await until(told_once_the_lease_is_over)
    assert [event["text"] for event in door.events("done")] == [arrivals.texts[note.id]]


class Stuck:
    """An engine that never stops."""

    model = "stuck"
    notes_at_once = 1
    is_stuck = False
    is_blocked = False

    def __init__(self, inner: SpeechEngine) -> None:
        self._inner = inner
        self.release = threading.Event()

    def running_s(self, cancelled: threading.Event) -> float | None:
        return self._inner.running_s(cancelled)

    def decode(self, path: Path, cancelled: threading.Event | None = None) -> Audio:
        return self._inner.decode(path, cancelled)

    def transcribe(
        self, audio: Audio, request: Request, *, on_progress: Callable[[Progress], None], cancelled: threading.Event
    ) -> Transcript:
        self.release.wait(30)
        return self._inner.transcribe(audio, request, on_progress=on_progress, cancelled=cancelled)


class Patient(Stuck):
    """An engine that works until it is told to stop."""

    def transcribe(
        self, audio: Audio, request: Request, *, on_progress: Callable[[Progress], None], cancelled: threading.Event
    ) -> Transcript:
        cancelled.wait(30)
        return self._inner.transcribe(audio, request, on_progress=on_progress, cancelled=cancelled)


async def test_a_worker_whose_engine_is_stuck_tells_the_chat_and_ends(  # noqa: PLR0913, PLR0917 - fixtures
    context: WorkerContext,
    queue: Queue,
    redis: PrefixedRedis,
    arrivals: Arrivals,
    door: FileDoor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine_threads, "STOP_S", 0.2)
    engine = Stuck(context.engine)
    note, following = await arrivals.note(), await arrivals.note()
    for each in (note, following):
        await queue.enqueue(each)
    async with working(context, redis, engine) as task:
        with pytest.raises(EngineStuck, match=str(engine_threads.STOP_S)):
            await asyncio.wait_for(asyncio.shield(task), 20)
    engine.release.set()
    assert [event["code"] for event in door.events("failed", note.id)] == ["timeout"]
    assert door.events(note_id=following.id) == []
    assert await position(queue, following) == 1
    assert await redis.zcard(redis.key("running")) == 0


async def test_a_worker_that_is_told_to_stop_leaves_nothing_behind(
    context: WorkerContext, queue: Queue, redis: PrefixedRedis, arrivals: Arrivals
) -> None:
    await queue.enqueue(await arrivals.note())  # not while the reaper is there, who may be quicker
    async with working(context, redis):
        await until(lambda: told(context.ledger))
        await until(lambda: forgotten(redis))
    assert await queue.workers() == []
    assert await redis.keys("arq:*") == []
    assert await redis.keys("earshot:*") == [f"earshot:reaper:{DOOR}".encode()]


async def test_a_free_worker_is_not_starved_by_hundreds_of_jobs_that_run_elsewhere(
    context: WorkerContext, queue: Queue, redis: PrefixedRedis, arrivals: Arrivals
) -> None:
    theirs = [QueuedJob(job_id=f"elsewhere-{number}", payload=b"", score=number, audio_ms=0) for number in range(250)]
    scripts = LuaScripts(redis)
    await scripts.enqueue(theirs)
    for _ in theirs:
        assert await scripts.pick("others", 60_000)
    await queue.enqueue(await arrivals.note())
    async with working(context, redis):
        await until(lambda: told(context.ledger), timeout_s=10)

        async def only_theirs_are_left() -> bool:
            return int(await redis.zcard(redis.key("running"))) == len(theirs)

        await until(only_theirs_are_left)


async def test_workers_show_themselves_and_what_they_do(
    context: WorkerContext, queue: Queue, redis: PrefixedRedis, arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "ANNOUNCE_INTERVAL_S", 0.1)
    engine = Patient(context.engine)
    note = await arrivals.note()
    async with working(context, redis, engine), working(context, redis, engine):
        await queue.enqueue(note)

        async def seen() -> bool:
            report = await queue_report(context.ledger, queue)
            return (report["workers"], report["workers_busy"], report["processing"]) == (2, 1, 1)

        await until(seen)
        assert sorted(worker.notes for worker in await queue.workers()) == [(), (note.id,)]
        assert await context.ledger.cancel(note.id)

        async def idle() -> bool:
            return [worker.notes for worker in await queue.workers()] == [(), ()]

        await until(idle)


async def test_being_cancelled_twice_does_not_break_off_how_a_job_ends(redis: PrefixedRedis) -> None:
    async def do(_: str) -> None:
        """Nothing comes."""

    handed_back = asyncio.Event()

    async def hand_back() -> None:
        await asyncio.sleep(0.3)
        handed_back.set()

    stopping = LeasedWorker(redis, "worker-a", do, lambda: True, at_once=1, grace_s=0)
    stopping.tasks["note"] = asyncio.create_task(hand_back())
    waiting = asyncio.create_task(stopping.wait_stopped())
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert handed_back.is_set()


async def test_a_worker_clears_away_what_dead_ones_fetched(context: WorkerContext, redis: PrefixedRedis) -> None:
    left = context.scratch / "0123456789abcdef-1"
    left.mkdir(parents=True)
    async with working(context, redis):
        await until(lambda: not left.exists())
