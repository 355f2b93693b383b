"""Several calls of the ledger in one transaction."""

import asyncio

import pytest

from storage.database import Database
from storage.note import State
from storage.telegram.ledger import TelegramLedger
from tests.storage.samples import incoming, known, record, transcript
from tests.storage.test_ledger import claimed
from tests.storage.transactions import Transactions


async def test_calls_in_a_transaction_are_one_and_see_each_other(ledger: TelegramLedger) -> None:
    transactions = Transactions()
    with transactions.counted(ledger):
        async with ledger.transaction():
            note, _ = await record(ledger, incoming())
            taken = await ledger.claim(note.id, "worker")
            found = await ledger.get(note.id)
    assert found == taken
    assert found is not None
    assert found.state is State.PROCESSING
    assert len(transactions.begun) == 1
    with transactions.counted(ledger):
        await ledger.get(note.id)
    assert len(transactions.begun) == 2


async def test_of_a_transaction_that_fails_nothing_is_kept(ledger: TelegramLedger) -> None:
    note = await claimed(ledger)

    async def fail() -> None:
        async with ledger.transaction():
            await ledger.begin_attempt(note.id, note.fence)
            await ledger.finish(note.id, note.fence, transcript(), engine_s=1, digest="d")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await known(ledger, note) == note
    assert await ledger.transcript(note.id) is None


async def test_others_see_nothing_of_a_transaction_before_its_end(ledger: TelegramLedger, database: Database) -> None:
    note, _ = await record(ledger, incoming())
    other = TelegramLedger(database)
    looked = asyncio.Event()
    looking = asyncio.create_task(_look(other, note.id, looked))
    async with ledger.transaction():
        await ledger.claim(note.id, "worker")
        looked.set()
        assert await looking is State.QUEUED
    assert (await known(other, note)).state is State.PROCESSING


async def _look(ledger: TelegramLedger, note_id: str, when: asyncio.Event) -> State:
    await when.wait()
    note = await ledger.get(note_id)
    assert note is not None
    return note.state


async def test_of_two_that_find_the_same_sound_at_the_same_time_the_later_one_sees_the_other(
    ledger: TelegramLedger,
) -> None:
    first, second = await claimed(ledger, user_id=1, chat_id=1), await claimed(ledger, user_id=2, chat_id=2)
    await asyncio.gather(known(ledger, first), known(ledger, second))  # both connections are open
    first_has_found = asyncio.Event()

    async def find_second() -> bool:
        await first_has_found.wait()
        async with ledger.transaction():
            assert await ledger.set_digest(second.id, second.fence, "same", audio_s=1)
            return await ledger.is_same_audio_running(await known(ledger, second))

    finding = asyncio.create_task(find_second())
    async with ledger.transaction():
        assert await ledger.set_digest(first.id, first.fence, "same", audio_s=1)
        first_has_found.set()
        await asyncio.sleep(0.5)
        assert not await ledger.is_same_audio_running(await known(ledger, first))
    assert await finding
