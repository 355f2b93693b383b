"""How a note's outcome gets to the door, and what the ledger keeps of that."""

import pytest
from structlog.testing import capture_logs

from jobs import delivery
from jobs.delivery import deliver
from jobs.door import RetryLater, Undeliverable
from jobs.leases import Lease, LeaseLost
from jobs.transcription import transcribe_note
from jobs.worker_context import WorkerContext
from storage.ledger import Ledger
from storage.note import State
from tests.jobs.conftest import Arrivals, renew, work_on
from tests.jobs.doors import FileDoor
from tests.storage.samples import transcript


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "PAUSES_S", (0.0, 0.0))


async def test_a_cancelled_note_that_was_not_told_so_is_told(
    context: WorkerContext, arrivals: Arrivals, ledger: Ledger, door: FileDoor
) -> None:
    note = await arrivals.note()
    await ledger.cancel(note.id)
    ended = await work_on(context, note)
    assert ended.delivered_at is not None
    assert [event["code"] for event in door.events()] == ["cancelled"]


async def test_a_delivery_that_fails_is_tried_again(context: WorkerContext, arrivals: Arrivals, door: FileDoor) -> None:
    door.troubles = [OSError("network"), RuntimeError("what")]
    ended = await work_on(context, await arrivals.note())
    assert ended.delivered_at is not None
    assert len(door.events("done")) == 3


async def test_a_delivery_that_keeps_failing_comes_again_without_another_transcription(
    context: WorkerContext, arrivals: Arrivals, door: FileDoor
) -> None:
    note = await arrivals.note()
    door.troubles = [OSError("network")] * 3
    with pytest.raises(RetryLater):
        await transcribe_note(context, note.id, renew)
    waiting = await context.ledger.get(note.id)
    assert waiting is not None
    assert (waiting.state, waiting.delivered_at) == (State.DONE, None)
    ended = await work_on(context, note)
    assert ended.delivered_at is not None
    assert len(door.events("fetch")) == 1
    assert ended.tries == 1


async def test_a_chat_that_is_gone_ends_the_note(context: WorkerContext, arrivals: Arrivals, door: FileDoor) -> None:
    door.troubles = [Undeliverable("blocked")]
    with capture_logs() as logs:
        ended = await work_on(context, await arrivals.note())
    assert (ended.delivered_at, ended.undeliverable) == (None, "blocked")
    assert [line["delivery"] for line in logs if line["event"] == "voice_note"] == ["undeliverable"]


async def test_a_door_that_asks_for_patience_is_asked_again_only_then(
    context: WorkerContext, arrivals: Arrivals, door: FileDoor
) -> None:
    door.troubles = [RetryLater(9)]
    with pytest.raises(RetryLater) as later:
        await transcribe_note(context, (await arrivals.note()).id, renew)
    assert later.value.after_s == 9
    assert len(door.events("done")) == 1


async def test_who_lost_the_note_delivers_nothing(
    context: WorkerContext, arrivals: Arrivals, ledger: Ledger, door: FileDoor
) -> None:
    note = await ledger.claim((await arrivals.note()).id, "worker-a")
    assert note is not None
    assert await ledger.finish(note.id, note.fence, transcript(), engine_s=1, digest="d")
    assert await ledger.release(note.id, note.fence)
    assert await ledger.claim(note.id, "worker-b") is not None
    with pytest.raises(LeaseLost):
        await deliver(context, note, Lease(ledger, note, renew))
    assert door.events() == []
