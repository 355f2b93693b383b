"""The totals of people, bots and chats, which the database keeps itself, on SQLite and PostgreSQL."""

import asyncio
from random import Random

import pytest
from sqlalchemy import text

from storage.database import Database
from storage.note import Failure, State
from storage.telegram.ledger import TelegramLedger
from tests.storage.samples import BOT, DOOR, incoming, record, transcript
from tests.storage.totals import assert_totals_are_right


async def test_totals_stay_right_whatever_happens_to_notes_at_the_same_time(database: Database) -> None:
    ledger = TelegramLedger(database)
    await asyncio.gather(*(_live(ledger, seed) for seed in range(40)))
    await ledger.migrate_chat(BOT, 1, -1001)
    await assert_totals_are_right(database)
    assert sum((await ledger.counts_by_state()).values()) == len(await ledger.recent(limit=1000))
    for note in await ledger.recent(limit=1000):
        await ledger.delete(note.id)
    await assert_totals_are_right(database)
    assert (await ledger.stats(DOOR)).accounts == 0


async def _live(ledger: TelegramLedger, seed: int) -> None:
    random = Random(seed)  # noqa: S311 - no secret
    note, _ = await record(ledger, incoming(chat_id=seed % 3, user_id=seed % 4))
    for _ in range(random.randrange(6)):
        taken = await ledger.claim(note.id, "worker")
        match random.randrange(6):
            case 0 if taken:
                await ledger.finish(note.id, taken.fence, transcript(), engine_s=random.random(), digest="d")
            case 1 if taken:
                await ledger.fail(note.id, taken.fence, Failure(code="error", params={}))
            case 2 if taken:
                await ledger.release(note.id, taken.fence)
            case 3:
                await ledger.cancel(note.id)
            case 4:
                await ledger.retry(note.id, {})
            case _ if seed % 5 == 0:
                await ledger.delete(note.id)
                return


async def test_a_change_that_is_taken_back_is_not_counted(database: Database) -> None:
    ledger = TelegramLedger(database)
    await record(ledger, incoming())
    with pytest.raises(ZeroDivisionError):
        await _fail_all_and_take_it_back(database)
    assert (await ledger.counts_by_state())[State.QUEUED] == 1
    await assert_totals_are_right(database)


async def _fail_all_and_take_it_back(database: Database) -> None:
    async with database.writing() as connection:
        await connection.execute(text("UPDATE notes SET state = 'failed'"))
        raise ZeroDivisionError
