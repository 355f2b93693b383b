from storage.telegram.ledger import TelegramLedger
from storage.telegram.message import TelegramNote
from tests.storage.samples import BOT, incoming, known, record
from tests.storage.test_ledger import done


async def received(ledger: TelegramLedger, **of: int) -> TelegramNote:
    note, _ = await record(ledger, incoming(**of))  # type: ignore[arg-type]  # the test's own words
    return note


async def test_of_two_that_answer_at_the_same_time_only_the_first_is_kept(ledger: TelegramLedger) -> None:
    note = await received(ledger)
    assert await ledger.set_status_message(note.id, 100, instead_of=None)
    assert not await ledger.set_status_message(note.id, 101, instead_of=None)
    assert (await known(ledger, note)).status_message_id == 100
    assert await ledger.set_status_message(note.id, 102, instead_of=100)
    assert (await known(ledger, note)).status_message_id == 102
    assert await ledger.by_message(BOT, note.chat_id, 101) is None


async def test_a_part_of_a_text_is_one_message_whoever_else_sends_it(ledger: TelegramLedger) -> None:
    note = await received(ledger)
    assert await ledger.add_part(note.id, 1, 11)
    assert not await ledger.add_part(note.id, 1, 12)
    assert await ledger.text_parts(note.id) == {1: 11}


async def test_a_worker_that_lost_its_note_records_no_part_of_the_text(ledger: TelegramLedger) -> None:
    note = await received(ledger)
    stale = await ledger.claim(note.id, "frozen")
    assert stale is not None
    assert await ledger.release(note.id, stale.fence)
    mine = await ledger.claim(note.id, "awake")
    assert mine is not None
    assert not await ledger.add_part(note.id, 1, 11, run=stale.run, fence=stale.fence)
    assert await ledger.add_part(note.id, 1, 12, run=mine.run, fence=mine.fence)
    assert await ledger.text_parts(note.id) == {1: 12}


async def test_the_parts_of_a_text_are_sent_anew_in_the_group_that_a_group_became(ledger: TelegramLedger) -> None:
    note = await received(ledger, chat_id=-5)
    assert await ledger.add_part(note.id, 1, 11)
    await ledger.migrate_chat(BOT, -5, -1005)
    assert await ledger.text_parts(note.id) == {}
    assert await ledger.add_part(note.id, 1, 2)
    assert await ledger.text_parts(note.id) == {1: 2}


async def test_a_group_that_moved_takes_its_notes_along(ledger: TelegramLedger) -> None:
    over, open_note = await done(ledger, chat_id=-5), await received(ledger, chat_id=-5, message_id=1)
    await ledger.mark_delivered(over.id)
    await ledger.set_status_message(over.id, 50, instead_of=None)
    await ledger.set_status_message(open_note.id, 51, instead_of=None)
    await ledger.migrate_chat(BOT, -5, -1005)
    moved = await known(ledger, open_note)
    assert (moved.chat_id, moved.answer_chat_id, moved.status_message_id) == (-5, -1005, None)
    assert (await known(ledger, over)).status_message_id is None
    assert await ledger.by_message(BOT, -5, 50) == await known(ledger, over)
    assert (await ledger.page(BOT, -1005, 0)).total == 2
    assert await ledger.migrated_chats(BOT) == {-5: -1005}
    assert await ledger.migrated_chats(BOT + 1) == {}


async def test_hearing_of_a_move_once_more_forgets_nothing(ledger: TelegramLedger) -> None:
    old, new = await received(ledger, chat_id=-5), await received(ledger, chat_id=-1005)
    await ledger.migrate_chat(BOT, -5, -1005)
    for number, note in enumerate((old, new), start=70):
        await ledger.set_status_message(note.id, number, instead_of=None)
    await ledger.migrate_chat(BOT, -5, -1005)
    await ledger.migrate_chat(BOT, -1005, -1005)
    assert [(await known(ledger, note)).status_message_id for note in (old, new)] == [70, 71]
    assert (await known(ledger, new)).moved_to is None


async def test_messages_of_the_new_group_are_told_from_those_of_the_old_one(ledger: TelegramLedger) -> None:
    old = await received(ledger, chat_id=-5, message_id=1)
    await ledger.migrate_chat(BOT, -5, -1005)
    assert await ledger.by_message(BOT, -1005, 1) is None
    new, is_new = await record(ledger, incoming(chat_id=-1005, message_id=1))
    assert is_new
    assert await ledger.set_status_message(old.id, 2, instead_of=None)
    answered, asked = await ledger.by_message(BOT, -1005, 2), await ledger.by_message(BOT, -1005, 1)
    assert answered is not None
    assert asked is not None
    assert (answered.id, asked.id) == (old.id, new.id)


async def test_a_group_may_move_twice(ledger: TelegramLedger) -> None:
    note = await received(ledger, chat_id=-5)
    await ledger.migrate_chat(BOT, -5, -1005)
    await ledger.migrate_chat(BOT, -1005, -1006)
    assert (await known(ledger, note)).answer_chat_id == -1006


async def test_notes_without_a_status_reply_are_known(ledger: TelegramLedger) -> None:
    first, second, third = [await received(ledger) for _ in range(3)]
    await ledger.set_status_message(second.id, 100, instead_of=None)
    await ledger.cancel(third.id)
    await ledger.mark_undeliverable(third.id, "gone")
    until = await ledger.current_time()
    assert [note.id for note in await ledger.without_status_message(BOT, until)] == [first.id]
    assert await ledger.without_status_message(BOT + 1, until) == []
    assert await ledger.without_status_message(BOT, first.received_at) == []
