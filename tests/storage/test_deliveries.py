"""When a delivery is due, and to whom."""

from sqlalchemy import delete

from storage import states
from storage.database import Database
from storage.tables import deliveries
from storage.telegram.ledger import TelegramLedger
from storage.telegram.message import door_of_bot
from tests.storage.conftest import Later
from tests.storage.samples import BOT, DOOR, incoming, known, record
from tests.storage.test_ledger import claimed, done


async def test_what_ended_is_due_once_nobody_holds_it(ledger: TelegramLedger) -> None:
    await record(ledger, incoming())
    note = await done(ledger)
    assert await ledger.due_deliveries(DOOR, 10) == []
    assert await ledger.release(note.id, note.fence)
    assert await ledger.due_deliveries(DOOR, 10) == [note.id]
    assert await ledger.due_deliveries(door_of_bot(BOT + 1), 10) == []


async def test_a_delivery_whose_worker_died_is_due_again(ledger: TelegramLedger, later: Later) -> None:
    note = await done(ledger)
    await later(states.HOLD_S + 1)
    assert await ledger.due_deliveries(DOOR, 10) == [note.id]
    mine = await ledger.claim_delivery(note.id, "worker-b")
    assert mine is not None
    assert mine.fence == note.fence + 1
    assert await ledger.claim_delivery(note.id, "worker-c") is None
    assert not await ledger.postpone_delivery(note, 1, "too late")


async def test_who_cancelled_a_note_has_time_to_say_so(ledger: TelegramLedger, later: Later) -> None:
    note = await claimed(ledger)
    await ledger.cancel(note.id)
    assert await ledger.due_deliveries(DOOR, 10) == []
    await later(states.QUIET_S + 1)
    assert await ledger.due_deliveries(DOOR, 10) == [note.id]


async def test_a_failed_attempt_is_counted_and_comes_again_later(ledger: TelegramLedger, later: Later) -> None:
    note = await done(ledger)
    assert await ledger.postpone_delivery(note, 100, "OSError: network")
    assert await ledger.delivery_attempts(note) == 1
    assert await ledger.due_deliveries(DOOR, 10) == []
    await later(101)
    assert await ledger.due_deliveries(DOOR, 10) == [note.id]


async def test_the_longest_due_come_first_and_no_more_than_asked_for(ledger: TelegramLedger, later: Later) -> None:
    notes = [await done(ledger) for _ in range(3)]
    for note, after_s in zip(notes, (30, 10, 20), strict=True):
        assert await ledger.postpone_delivery(note, after_s, "network")
    await later(60)
    assert await ledger.due_deliveries(DOOR, 2) == [notes[1].id, notes[2].id]


async def test_what_is_settled_or_runs_again_is_not_due(ledger: TelegramLedger, later: Later) -> None:
    told, gone, again = [await done(ledger) for _ in range(3)]
    await ledger.mark_delivered(told.id)
    await ledger.mark_undeliverable(gone.id, "blocked")
    await ledger.retry(again.id, {})
    await later(states.HOLD_S + 1)
    assert await ledger.due_deliveries(DOOR, 10) == []


async def test_what_an_older_version_ended_is_adopted(ledger: TelegramLedger, database: Database) -> None:
    note = await done(ledger)
    assert await ledger.release(note.id, note.fence)
    async with database.writing() as connection:
        await connection.execute(delete(deliveries))
    assert await ledger.due_deliveries(DOOR, 10) == []
    await ledger.adopt_deliveries()
    await ledger.adopt_deliveries()
    assert await ledger.due_deliveries(DOOR, 10) == [note.id]
    assert (await known(ledger, note)).fence == note.fence
