from storage.ledger import Ledger
from storage.note import Note
from storage.rows import now
from tests.storage.samples import BOT, incoming
from tests.storage.test_ledger import done, known

MOST = 100


async def received(ledger: Ledger, **of: int) -> Note:
    note, _ = await ledger.record(incoming(**of))  # type: ignore[arg-type]  # the test's own words
    return note


async def test_of_two_that_answer_at_the_same_time_only_the_first_is_kept(ledger: Ledger) -> None:
    note = await received(ledger)
    assert await ledger.set_status_message(note.id, 100, instead_of=None)
    assert not await ledger.set_status_message(note.id, 101, instead_of=None)
    assert (await known(ledger, note)).status_message_id == 100
    assert await ledger.set_status_message(note.id, 102, instead_of=100)
    assert (await known(ledger, note)).status_message_id == 102
    assert await ledger.by_message(BOT, note.chat_id, 101) is None


async def test_a_reply_that_was_never_heard_of_is_looked_for_between_what_is_known(ledger: Ledger) -> None:
    note = await received(ledger, message_id=10)
    assert not await ledger.possible_stray_ids(note, MOST)
    await ledger.expect_stray(note.id)
    await received(ledger, message_id=12)
    await received(ledger, message_id=13, chat_id=8)
    other = await received(ledger, message_id=9)
    await ledger.set_status_message(other.id, 14, instead_of=None)
    await ledger.set_status_message(note.id, 16, instead_of=None)
    in_doubt = await known(ledger, note)
    assert await ledger.possible_stray_ids(in_doubt, MOST) == [11, 13, 15]
    assert await ledger.possible_stray_ids(in_doubt, 2) == [11, 13]
    await ledger.set_stray_after(note.id, 13)
    assert await ledger.possible_stray_ids(await known(ledger, note), MOST) == [15]
    await ledger.set_stray_after(note.id, None)
    assert not await ledger.possible_stray_ids(await known(ledger, note), MOST)


async def test_an_unknown_part_of_a_text_lies_below_the_part_that_was_sent_anew(ledger: Ledger) -> None:
    note = await received(ledger, message_id=10)
    await ledger.set_status_message(note.id, 11, instead_of=None)
    await ledger.expect_stray(note.id)
    assert not await ledger.possible_stray_ids(await known(ledger, note), MOST)
    await ledger.add_part(note.id, 1, 14)
    assert await ledger.possible_stray_ids(await known(ledger, note), MOST) == [12, 13]


async def test_a_doubt_lasts_until_it_is_cleared_up(ledger: Ledger) -> None:
    note = await received(ledger, message_id=10)
    assert await ledger.expect_stray(note.id)
    await received(ledger, message_id=20)
    assert not await ledger.expect_stray(note.id)
    assert (await known(ledger, note)).stray_after == 10
    assert not await ledger.expect_stray("0" * 16)


async def test_a_group_that_moved_takes_its_notes_along(ledger: Ledger) -> None:
    over, open_note = await done(ledger, chat_id=-5), await received(ledger, chat_id=-5, message_id=1)
    await ledger.mark_delivered(over.id)
    await ledger.set_status_message(over.id, 50, instead_of=None)
    await ledger.set_status_message(open_note.id, 51, instead_of=None)
    await ledger.migrate_chat(BOT, -5, -1005)
    moved = await known(ledger, open_note)
    assert (moved.chat_id, moved.answer_chat_id, moved.status_message_id) == (-5, -1005, None)
    assert (await known(ledger, over)).status_message_id == 50
    assert (await ledger.page(BOT, -1005, 0)).total == 2
    assert await ledger.migrated_chats(BOT) == {-5: -1005}
    assert await ledger.migrated_chats(BOT + 1) == {}


async def test_hearing_of_a_move_once_more_forgets_nothing(ledger: Ledger) -> None:
    old, new = await received(ledger, chat_id=-5), await received(ledger, chat_id=-1005)
    await ledger.migrate_chat(BOT, -5, -1005)
    for number, note in enumerate((old, new), start=70):
        await ledger.set_status_message(note.id, number, instead_of=None)
    await ledger.migrate_chat(BOT, -5, -1005)
    await ledger.migrate_chat(BOT, -1005, -1005)
    assert [(await known(ledger, note)).status_message_id for note in (old, new)] == [70, 71]
    assert (await known(ledger, new)).moved_to is None


async def test_messages_of_the_new_group_are_told_from_those_of_the_old_one(ledger: Ledger) -> None:
    old = await received(ledger, chat_id=-5, message_id=1)
    await ledger.migrate_chat(BOT, -5, -1005)
    assert await ledger.by_message(BOT, -1005, 1) is None
    new, is_new = await ledger.record(incoming(chat_id=-1005, message_id=1))
    assert is_new
    assert await ledger.set_status_message(old.id, 2, instead_of=None)
    answered, asked = await ledger.by_message(BOT, -1005, 2), await ledger.by_message(BOT, -1005, 1)
    assert answered is not None
    assert asked is not None
    assert (answered.id, asked.id) == (old.id, new.id)


async def test_a_group_may_move_twice(ledger: Ledger) -> None:
    note = await received(ledger, chat_id=-5)
    await ledger.migrate_chat(BOT, -5, -1005)
    await ledger.migrate_chat(BOT, -1005, -1006)
    assert (await known(ledger, note)).answer_chat_id == -1006


async def test_notes_without_a_status_reply_are_known(ledger: Ledger) -> None:
    first, second, third = [await received(ledger) for _ in range(3)]
    await ledger.set_status_message(second.id, 100, instead_of=None)
    await ledger.cancel(third.id)
    await ledger.mark_undeliverable(third.id, "gone")
    assert [note.id for note in await ledger.without_status_message(BOT, now())] == [first.id]
    assert await ledger.without_status_message(BOT + 1, now()) == []
    assert await ledger.without_status_message(BOT, first.received_at) == []
