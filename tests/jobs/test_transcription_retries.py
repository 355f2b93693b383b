"""Notes that are put back, because something is in the way for now, and when that ends."""

import asyncio
import contextlib
import errno
import sqlite3
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from unittest import mock

import pytest

from jobs import backoff, transcription
from jobs.door import RetryLater
from jobs.transcription import transcribe_note
from jobs.worker_context import WorkerContext
from storage import clock, states
from storage.clock import now
from storage.errors import DatabaseBusy
from storage.note import State
from storage.telegram.ledger import TelegramLedger
from tests.jobs.conftest import Arrivals, until, work_on
from tests.jobs.doors import FileDoor
from tests.jobs.listening_engine import Listening


async def test_a_door_that_is_closed_for_now_costs_no_try(
    context: WorkerContext, arrivals: Arrivals, door: FileDoor
) -> None:
    note = await arrivals.note()
    door.fetches = [RetryLater(9)]
    with pytest.raises(RetryLater) as later:
        await transcribe_note(context, note.id)
    assert later.value.after_s == 9
    waiting = await context.ledger.get(note.id)
    assert waiting is not None
    assert (waiting.state, waiting.tries) == (State.QUEUED, 0)
    assert (await work_on(context, note)).state is State.DONE


async def test_a_file_that_cannot_be_fetched_is_left_alone_for_longer_each_time(
    context: WorkerContext, arrivals: Arrivals, door: FileDoor
) -> None:
    note = await arrivals.note()
    door.fetches = [RetryLater() for _ in range(3)]
    pauses = []
    for _ in range(3):
        with pytest.raises(RetryLater) as later:
            await transcribe_note(context, note.id)
        pauses.append(later.value.after_s)
        await asyncio.sleep(0.9)
    assert pauses[0] == 1
    assert pauses[2] > pauses[0]
    done = await work_on(context, note)
    assert (done.state, done.unfetched_since) == (State.DONE, None)


async def test_a_file_that_cannot_be_fetched_for_a_day_is_given_up(
    context: WorkerContext, arrivals: Arrivals, door: FileDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "DEADLINE_H", 0)
    door.fetches = [RetryLater()]
    ended = await work_on(context, await arrivals.note())
    assert ended.error is not None
    assert (ended.state, ended.error.code) == (State.FAILED, "audio_unavailable")
    assert [event["code"] for event in door.events("failed")] == ["audio_unavailable"]


async def test_a_full_disk_is_waited_for(
    context: WorkerContext, arrivals: Arrivals, ledger: TelegramLedger, door: FileDoor
) -> None:
    note = await arrivals.note()
    door.fetches = [OSError(errno.ENOSPC, "No space left on device")]
    with pytest.raises(RetryLater):
        await transcribe_note(context, note.id)
    waiting = await ledger.get(note.id)
    assert waiting is not None
    assert (waiting.state, waiting.tries) == (State.QUEUED, 0)
    assert (await work_on(context, note)).state is State.DONE


async def test_poison_is_not_touched_a_fourth_time(
    context: WorkerContext, arrivals: Arrivals, ledger: TelegramLedger, door: FileDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = await arrivals.note()
    for times in range(1, transcription.MAX_TRIES + 1):
        claimed = await ledger.claim(note.id, "doomed")
        assert claimed is not None
        assert await ledger.begin_attempt(note.id, claimed.fence)
        ahead = timedelta(seconds=times * (states.HOLD_S + 1))
        monkeypatch.setattr(clock, "now", lambda ahead=ahead: now() + ahead)
    ended = await work_on(context, note)
    assert ended.error is not None
    assert (ended.error.code, ended.error.params) == ("gave_up", {"tries": 3})
    assert door.events("fetch") == []


async def test_a_locked_database_does_not_cost_the_transcript(
    context_with: WorkerContext, engine: Listening, arrivals: Arrivals, ledger: TelegramLedger
) -> None:
    with mock.patch.object(ledger, "finish", side_effect=_busy_at_first(2, ledger.finish)):
        ended = await work_on(context_with, await arrivals.note())
    assert ended.state is State.DONE
    assert len(engine.requests) == 1


async def test_a_note_is_handed_back_in_time_although_the_database_is_locked(
    context_with: WorkerContext, engine: Listening, arrivals: Arrivals, tmp_path: Path
) -> None:
    engine.before = lambda cancelled: cancelled.wait(30)
    note = await arrivals.note()
    working = asyncio.create_task(transcribe_note(context_with, note.id))
    await until(lambda: bool(engine.requests))
    with contextlib.closing(sqlite3.connect(tmp_path / "earshot.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        working.cancel()
        await asyncio.wait({working})
        assert time.monotonic() - began < transcription.RELEASE_S + 1.5
        other.rollback()


def _busy_at_first(times: int, call: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
    left = times

    async def busy_at_first(*args: object, **named: object) -> object:
        nonlocal left
        left -= 1
        if left >= 0:
            raise DatabaseBusy(where="x")
        return await call(*args, **named)

    return busy_at_first
