"""A worker in this very process that has several notes at hand."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.audio.samples import Audio
from engine.pipeline import fair_pool
from engine.pipeline.transcribe import RecognizedChunk, TranscriptionPipeline
from engine.request import Progress, Request
from engine.settings import EngineSettings
from engine.speech import Engine
from engine.transcript import Transcript
from engine.vad.chunking import Region
from jobs import worker
from jobs.errors import EngineStuck
from jobs.queue import Queue
from jobs.queue_report import queue_report
from jobs.redis import PrefixedRedis
from jobs.worker_context import WorkerContext
from storage import clock, states
from storage.clock import now
from storage.ledger import Ledger
from storage.note import Note, State
from tests.jobs.conftest import Arrivals, position, until, work_on
from tests.jobs.doors import FileDoor
from tests.jobs.test_leased_worker import LIMIT_S, Patient, forgotten, told, working

pytestmark = pytest.mark.usefixtures("quick_reaper")

AT_ONCE = 3


@dataclass
class Held:
    """What the engine was given, by its text, until it is let go."""

    inside: set[str] = field(default_factory=set)
    at_once: list[int] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)


class Holding(Patient):
    """An engine that holds what it is given until it is let go, or told to stop."""

    notes_at_once = AT_ONCE

    def __init__(self, context: WorkerContext) -> None:
        super().__init__(context.engine)
        self.held = Held()

    def transcribe(
        self, audio: Audio, request: Request, *, on_progress: Callable[[Progress], None], cancelled: threading.Event
    ) -> Transcript:
        self.held.inside.add(audio.digest)
        self.held.at_once.append(len(self.held.inside))
        while not (self.held.go_on.wait(0.02) or cancelled.is_set()):
            pass
        self.held.inside.discard(audio.digest)
        return self._inner.transcribe(audio, request, on_progress=on_progress, cancelled=cancelled)


@dataclass
class Hanging:
    """A model that never comes back from the first piece, until it is let go."""

    max_chunk_s: float = 20
    preferred_chunk_s: float = 10
    max_parallel_chunks: int = 1
    reads: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def detect_speech(self, blocks: Iterable[NDArray[np.int16]]) -> Iterator[Region]:
        yield Region(0, sum(map(len, blocks)))

    def recognize(self, samples: NDArray[np.int16], request: Request) -> RecognizedChunk:
        del samples, request
        self.reads.set()
        self.go_on.wait(30)
        return RecognizedChunk("text", "en")


@pytest.fixture
async def engine(context: WorkerContext) -> AsyncIterator[Holding]:
    engine = Holding(context)
    yield engine
    engine.held.go_on.set()


async def queued(queue: Queue, arrivals: Arrivals, count: int) -> Sequence[Note]:
    notes = [await arrivals.note(chat_id=chat) for chat in range(count)]
    for note in notes:
        await queue.enqueue(note)
    return notes


async def died_over(ledger: Ledger, notes: Iterable[Note], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a worker begin on the notes and never be heard of again."""
    for note in notes:
        held = await ledger.claim(note.id, "dead")
        assert held is not None
        assert await ledger.begin_attempt(note.id, held.fence)
    monkeypatch.setattr(clock, "now", lambda: now() + timedelta(seconds=states.HOLD_S + 1))


async def test_as_many_notes_as_suit_the_engine_run_at_the_same_time_and_one_worker_is_busy(  # noqa: PLR0913, PLR0917 - fixtures
    context: WorkerContext, queue: Queue, redis: PrefixedRedis, arrivals: Arrivals, engine: Holding, door: FileDoor
) -> None:
    notes = await queued(queue, arrivals, AT_ONCE + 2)
    async with working(context, redis, engine, notes_at_once=0):
        await until(lambda: len(engine.held.inside) == AT_ONCE)
        await asyncio.sleep(0.3)  # for what would be one too many
        report = await queue_report(context.ledger, queue)
        assert (report["workers"], report["workers_busy"], report["processing"]) == (1, 1, AT_ONCE)
        (worker,) = await queue.workers()
        assert (set(worker.notes), worker.at_once) == ({note.id for note in notes[:AT_ONCE]}, AT_ONCE)
        assert [await position(queue, note) for note in notes] == [0, 0, 0, 1, 2]
        engine.held.go_on.set()
        await until(lambda: told(context.ledger))
        await until(lambda: forgotten(redis))
    assert max(engine.held.at_once) == AT_ONCE
    assert {event["note"]: event["text"] for event in door.events("done")} == arrivals.texts
    assert len(door.events("done")) == len(notes)
    assert await redis.keys("arq:*") == []


async def test_a_short_note_finds_a_place_however_many_long_ones_there_are(  # noqa: PLR0913, PLR0917 - fixtures
    context: WorkerContext, queue: Queue, redis: PrefixedRedis, arrivals: Arrivals, engine: Holding, door: FileDoor
) -> None:
    long = [await arrivals.note(claimed_s=3600) for _ in range(AT_ONCE + 1)]
    for note in long:
        await queue.enqueue(note)
    async with working(context, redis, engine, notes_at_once=0):
        await until(lambda: len(engine.held.inside) == AT_ONCE - 1)
        short = await arrivals.note(chat_id=8)
        await queue.enqueue(short)
        await until(lambda: len(engine.held.inside) == AT_ONCE)
        assert [await position(queue, note) for note in (*long, short)] == [0, 0, 1, 2, 0]
        engine.held.go_on.set()
        await until(lambda: told(context.ledger))
        await until(lambda: forgotten(redis))  # what the reaper queued as well is picked once more
    assert len(door.events("done")) == len(arrivals.texts)
    assert await redis.keys("arq:*") == await redis.keys("earshot:lengths") == []


async def test_a_worker_that_is_told_to_stop_hands_back_all_its_notes(
    context: WorkerContext, queue: Queue, redis: PrefixedRedis, arrivals: Arrivals, engine: Holding
) -> None:
    notes = await queued(queue, arrivals, AT_ONCE)
    async with working(context, redis, engine, notes_at_once=0):
        await until(lambda: len(engine.held.inside) == AT_ONCE)
    for note in notes:
        found = await context.ledger.get(note.id)
        assert found is not None
        assert (found.state, found.tries) == (State.QUEUED, 0)
        assert await context.ledger.claim(note.id, "another") is not None
    assert await redis.keys("arq:in-progress:*") == []


async def test_cancelling_one_note_leaves_the_others_alone(  # noqa: PLR0913, PLR0917 - fixtures
    context: WorkerContext, queue: Queue, redis: PrefixedRedis, arrivals: Arrivals, engine: Holding, door: FileDoor
) -> None:
    first, second = await queued(queue, arrivals, 2)
    async with working(context, redis, engine, notes_at_once=0):
        await until(lambda: len(engine.held.inside) == 2)
        assert await context.ledger.cancel(first.id)
        await until(lambda: len(engine.held.inside) == 1)
        engine.held.go_on.set()
        await until(lambda: told(context.ledger))
    assert [event["note"] for event in door.events("done")] == [second.id]
    assert [event["code"] for event in door.events("failed")] == ["cancelled"]


async def test_a_worker_that_grew_too_large_ends_its_notes_but_takes_no_other(  # noqa: PLR0913, PLR0917 - fixtures
    context: WorkerContext,
    queue: Queue,
    redis: PrefixedRedis,
    arrivals: Arrivals,
    engine: Holding,
    door: FileDoor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    running = await queued(queue, arrivals, AT_ONCE - 1)
    async with working(context, redis, engine, max_memory_mb=1_000_000, notes_at_once=0) as task:
        await until(lambda: len(engine.held.inside) == len(running))
        monkeypatch.setattr(worker, "resident_mb", lambda: 2_000_000.0)
        (late,) = await queued(queue, arrivals, 1)
        await asyncio.sleep(0.5)  # for what it must not take
        assert len(engine.held.inside) == len(running)
        engine.held.go_on.set()
        await asyncio.wait_for(asyncio.shield(task), 10)
    assert {event["note"] for event in door.events("done")} == {note.id for note in running}
    assert await position(queue, late) == 1


async def test_a_note_over_which_a_worker_died_goes_alone(  # noqa: PLR0913, PLR0917 - fixtures
    context: WorkerContext,
    queue: Queue,
    redis: PrefixedRedis,
    arrivals: Arrivals,
    engine: Holding,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    suspects = [await arrivals.note(chat_id=chat) for chat in range(2)]
    await asyncio.to_thread(engine.decode, Path(suspects[0].file_id))  # the first one takes longer
    await died_over(context.ledger, suspects, monkeypatch)
    notes = [*suspects, *[await arrivals.note(chat_id=chat) for chat in range(2, 5)]]
    for note in notes:
        await queue.enqueue(note)
    engine.held.go_on.set()
    seen: dict[str, int] = {}
    together = threading.Event()

    def alone(audio_digest: str) -> None:
        seen[audio_digest] = len(engine.held.inside)

    inner = engine.transcribe

    def watched(
        audio: Audio, request: Request, *, on_progress: Callable[[Progress], None], cancelled: threading.Event
    ) -> Transcript:
        engine.held.inside.add(audio.digest)
        for _ in range(30):  # long enough for another to come, until two were seen together
            if len(engine.held.inside) > 1:
                together.set()
            if together.is_set() or cancelled.wait(0.1):
                break
        cancelled.wait(0.2)
        alone(audio.digest)
        return inner(audio, request, on_progress=on_progress, cancelled=cancelled)

    monkeypatch.setattr(engine, "transcribe", watched)
    async with working(context, redis, engine, notes_at_once=0):
        await until(lambda: told(context.ledger))
    digests = [found.digest for note in suspects if (found := await context.ledger.get(note.id))]
    assert [seen[str(digest)] for digest in digests] == [1, 1]
    assert max(seen.values()) > 1


async def test_who_is_cancelled_while_it_waits_to_go_alone_leaves_the_company_open(
    context: WorkerContext, arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch
) -> None:
    suspect = await arrivals.note()
    await died_over(context.ledger, [suspect], monkeypatch)
    async with context.isolation.slot(suspect=False):
        working_on = asyncio.create_task(work_on(context, suspect))
        await until(lambda: context.isolation.has_suspects)
        assert await context.ledger.cancel(suspect.id)
        assert (await asyncio.wait_for(working_on, 10)).state is State.CANCELLED
        assert not context.isolation.has_suspects


async def test_who_waited_behind_a_note_that_hangs_goes_back_as_if_nothing_had_happened(  # noqa: PLR0913, PLR0917 - fixtures
    context: WorkerContext,
    queue: Queue,
    redis: PrefixedRedis,
    arrivals: Arrivals,
    door: FileDoor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = Hanging()
    backend = TranscriptionPipeline("hanging", ("en",), model)
    (hanging,) = await queued(queue, arrivals, 1)
    async with working(context, redis, Engine(EngineSettings(model="fake"), backend), notes_at_once=0) as task:
        await until(model.reads.is_set)
        (waiting,) = await queued(queue, arrivals, 1)
        await until(lambda: bool(door.events("failed", hanging.id)))
        await asyncio.sleep(2 * LIMIT_S)  # for what must not be told of the other
        assert door.events("failed", waiting.id) == []
        monkeypatch.setattr(fair_pool, "STUCK_AFTER_S", 0.0)
        with pytest.raises(EngineStuck):
            await asyncio.wait_for(asyncio.shield(task), 20)
    model.go_on.set()
    assert [event["code"] for event in door.events("failed")] == ["timeout"]
    found = await context.ledger.get(waiting.id)
    assert found is not None
    assert (found.state, found.tries) == (State.QUEUED, 0)
    assert await position(queue, waiting) == 1


async def test_a_worker_takes_nothing_more_while_its_model_is_at_what_nobody_wants(
    context: WorkerContext, queue: Queue, redis: PrefixedRedis, arrivals: Arrivals, door: FileDoor
) -> None:
    model = Hanging()
    backend = TranscriptionPipeline("hanging", ("en",), model)
    hanging = await arrivals.note()
    async with working(context, redis, Engine(EngineSettings(model="fake"), backend), notes_at_once=0) as task:
        await queue.enqueue(hanging)
        await until(model.reads.is_set)
        assert await context.ledger.cancel(hanging.id)
        await until(lambda: backend.is_blocked)
        following = await queued(queue, arrivals, 2)
        async with working(replace(context, worker_id="worker-b"), redis):
            await until(lambda: told(context.ledger))
        model.go_on.set()
        await queue.enqueue(await arrivals.note())
        await until(lambda: told(context.ledger))
        assert not task.done()
    *elsewhere, last = [event["text"] for event in door.events("done")]
    assert sorted(elsewhere) == sorted(arrivals.texts[note.id] for note in following)
    assert last == "text"


async def test_a_worker_that_finds_its_own_note_free_again_goes_on_with_it(  # noqa: PLR0913, PLR0917 - fixtures
    context: WorkerContext, queue: Queue, redis: PrefixedRedis, arrivals: Arrivals, engine: Holding, door: FileDoor
) -> None:
    (note,) = await queued(queue, arrivals, 1)
    running, job_id = redis.key("running"), redis.job_id(note.id)
    async with working(context, redis, engine, notes_at_once=0):
        await until(lambda: bool(engine.held.inside))
        await redis.zadd(running, {job_id: 1}, xx=True)  # as it is after the process was frozen for long enough

        async def taken_again() -> bool:
            return (await redis.zscore(running, job_id) or 0) > 1

        await until(taken_again)
        await asyncio.sleep(0.3)  # for a second run of it, which would find nothing to do and take it out of the queue
        assert await queue.missing([note.id]) == []
        engine.held.go_on.set()
        await until(lambda: told(context.ledger))
        await until(lambda: forgotten(redis))
    assert len(door.events("fetch")) == len(door.events("done")) == 1
    assert await redis.keys("arq:*") == []
