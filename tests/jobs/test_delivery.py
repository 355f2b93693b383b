"""How a note's outcome gets to the door, and what the ledger keeps of that."""

import asyncio
from dataclasses import replace
from itertools import pairwise
from time import monotonic
from unittest import mock

import pytest
from structlog.testing import capture_logs

from engine.transcript import Transcript
from jobs import backoff, delivery, leases
from jobs.delivery import DeliveryLoop, deliver
from jobs.door import RetryLater, Undeliverable
from jobs.queue import Queue
from jobs.redis import PrefixedRedis
from jobs.resilience import cancel_and_wait
from jobs.transcription import transcribe_note
from jobs.worker import run_worker
from jobs.worker_context import WorkerContext
from storage.errors import DatabaseBusy
from storage.note import Note, State
from storage.states import HOLD_S
from storage.telegram.ledger import TelegramLedger
from tests.jobs.conftest import Arrivals, until, work_on
from tests.jobs.doors import FileDoor
from tests.storage.samples import DOOR


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(delivery, "INTERVAL_S", 0.05)


async def settled(context: WorkerContext, note: Note) -> Note:
    """Let a worker deliver what is due until the note is settled."""

    async def is_settled() -> bool:
        return (await latest(context, note)).is_settled

    async with DeliveryLoop(context).running():
        await until(is_settled)
    return await latest(context, note)


async def latest(context: WorkerContext, note: Note) -> Note:
    found = await context.ledger.get(note.id)
    assert found is not None
    return found


async def test_a_cancelled_note_that_was_not_told_so_is_told(
    context: WorkerContext, arrivals: Arrivals, ledger: TelegramLedger, door: FileDoor
) -> None:
    note = await arrivals.note()
    await ledger.cancel(note.id)
    ended = await work_on(context, note)
    assert ended.delivered_at is not None
    assert [event["code"] for event in door.events()] == ["cancelled"]


async def test_a_delivery_that_fails_is_tried_again(context: WorkerContext, arrivals: Arrivals, door: FileDoor) -> None:
    door.troubles = [OSError("network"), RuntimeError("what")]
    note = await work_on(context, await arrivals.note())
    assert not note.is_settled
    assert (await settled(context, note)).delivered_at is not None
    assert len(door.events("done")) == 3


async def test_a_delivery_that_keeps_failing_comes_again_without_another_transcription(
    context: WorkerContext, arrivals: Arrivals, door: FileDoor
) -> None:
    door.troubles = [OSError("network")] * 4
    note = await work_on(context, await arrivals.note())
    assert (note.state, note.delivered_at) == (State.DONE, None)
    ended = await settled(context, note)
    assert ended.delivered_at is not None
    assert len(door.events("fetch")) == 1
    assert ended.tries == 1


async def test_the_pauses_between_attempts_double(
    context: WorkerContext, arrivals: Arrivals, door: FileDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "FIRST_PAUSE_S", 0.3)
    door.troubles = [OSError("network")] * 3
    await settled(context, await work_on(context, await arrivals.note()))
    at = [float(event["at"]) for event in door.events("done")]
    pauses = [later - earlier for earlier, later in pairwise(at)]
    assert all(pause >= wanted for pause, wanted in zip(pauses, (0.3, 0.6, 1.2), strict=True))
    assert pauses[0] < 1.2


async def test_a_delivery_that_fails_for_a_day_is_given_up_with_the_reason(
    context: WorkerContext, arrivals: Arrivals, door: FileDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "DEADLINE_H", 0)
    door.troubles = [OSError("network")]
    ended = await work_on(context, await arrivals.note())
    assert ended.delivered_at is None
    assert ended.undeliverable is not None
    assert "OSError: network" in ended.undeliverable
    assert len(door.events("done")) == 1


async def test_notes_that_cannot_be_delivered_take_no_place_from_others(  # noqa: PLR0913, PLR0917 - fixtures
    context: WorkerContext,
    arrivals: Arrivals,
    ledger: TelegramLedger,
    queue: Queue,
    door: FileDoor,
    redis: PrefixedRedis,
) -> None:
    stuck = [await arrivals.note(chat_id=7) for _ in range(10)]
    tell = door.done

    async def hang_in_chat_7(note: Note, transcript: Transcript) -> None:
        await tell(note, transcript)
        if note.id in {each.id for each in stuck}:
            await asyncio.sleep(20)
            raise OSError("network")

    with mock.patch.object(door, "done", hang_in_chat_7), mock.patch.object(delivery, "STOP_S", 0.1):
        working = asyncio.create_task(
            run_worker(
                engine=context.engine,
                ledger=ledger,
                redis=redis,
                door=door,
                artefacts=context.artefacts,
                data_dir=arrivals.folder,
                timeout_s=60,
                grace_s=1,
                notes_at_once=2,
            )
        )
        try:
            for note in stuck:
                await queue.enqueue(note)
            await until(lambda: len(door.events("done")) == 10)
            other = await arrivals.note(chat_id=8)
            await queue.enqueue(other)
            await until(lambda: bool(door.events("done", other.id)), 5)
        finally:
            await cancel_and_wait(working)
    assert [(await latest(context, note)).is_settled for note in stuck] == [False] * 10


async def test_a_worker_that_is_stopped_lets_go_of_what_it_delivers(
    context: WorkerContext, arrivals: Arrivals, door: FileDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "STOP_S", 0.1)
    outcome = await transcribe_note(context, (await arrivals.note()).id)
    assert outcome is not None
    note, loop = outcome.note, DeliveryLoop(context)

    async def hang(*_: object) -> None:
        await asyncio.sleep(20)

    with mock.patch.object(door, "done", hang):
        async with loop.running():
            loop.begin(outcome)
            await asyncio.sleep(0.1)
    assert await context.ledger.due_deliveries(DOOR, 10) == [note.id]
    assert (await settled(context, note)).delivered_at is not None


async def test_a_chat_that_is_gone_ends_the_note(context: WorkerContext, arrivals: Arrivals, door: FileDoor) -> None:
    door.troubles = [Undeliverable("blocked")]
    with capture_logs() as logs:
        ended = await work_on(context, await arrivals.note())
    assert (ended.delivered_at, ended.undeliverable) == (None, "blocked")
    assert [line["delivery"] for line in logs if line["event"] == "voice_note"] == ["undeliverable"]


async def test_a_door_that_asks_for_patience_is_asked_again_only_then(
    context: WorkerContext, arrivals: Arrivals, door: FileDoor
) -> None:
    door.troubles = [RetryLater(1.5)]
    note = await settled(context, await work_on(context, await arrivals.note()))
    assert note.delivered_at is not None
    first, second = [float(event["at"]) for event in door.events("done")]
    assert second - first >= 1.5


async def test_who_may_have_lost_the_note_delivers_nothing(
    context: WorkerContext, arrivals: Arrivals, door: FileDoor
) -> None:
    note = await arrivals.note()
    outcome = await transcribe_note(context, note.id)
    assert outcome is not None
    await deliver(context, replace(outcome, since=monotonic() - HOLD_S))
    assert door.events("done") == []
    await deliver(context, outcome)
    assert len(door.events("done")) == 1


async def test_what_cannot_be_told_while_the_lease_is_certain_is_told_by_another(
    context: WorkerContext, arrivals: Arrivals, ledger: TelegramLedger, door: FileDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = await transcribe_note(context, (await arrivals.note()).id)
    assert outcome is not None
    stopped = asyncio.Event()

    async def hang(*_: object) -> None:
        try:
            await asyncio.sleep(20)
        finally:
            stopped.set()

    monkeypatch.setattr(leases, "HOLD_S", 1.5)
    monkeypatch.setattr(ledger, "owned", is_busy)
    monkeypatch.setattr(ledger, "renew", is_busy)
    with mock.patch.object(door, "done", hang):
        await deliver(context, outcome)
    assert stopped.is_set()
    assert not (await latest(context, outcome.note)).is_settled
    monkeypatch.setattr("storage.states.HOLD_S", 0.0)
    assert (await settled(context, outcome.note)).delivered_at is not None


async def is_busy(*_: object) -> None:
    raise DatabaseBusy(where="x")
