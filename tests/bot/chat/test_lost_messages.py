"""Messages that were sent while their sender died or lost the line: in the end each note has one answer."""

import asyncio
from datetime import UTC, datetime
from unittest import mock

import pytest
from aiogram.exceptions import TelegramNetworkError
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup, Message

from bot.chat import status_message
from bot.chat.delivery import Delivery
from bot.chat.telegram_door import TelegramDoor
from bot.config.settings import Settings
from bot.playground.server import Playground
from bot.telegram.rate_budget import RateWindow, RateWindows
from bot.telegram.request_policy import total_timeout
from jobs.door import RetryLater
from storage.ledger import Ledger
from storage.note import Note
from tests.bot.chat.test_delivery import said, transcript, waiting
from tests.bot.conftest import House, open_house, sound, until

PROBING = "editMessageReplyMarkup"  # to look for a stray means to ask for messages that are not there, or not ours


@pytest.fixture(autouse=True)
def forgive_probing(playground: Playground) -> object:
    yield
    playground.violations[:] = [words for words in playground.violations if PROBING not in words]


async def welcomed_by_a_dying_bot(house: House, number: int) -> Note:
    """Let a note come in, and the bot die between sending the status reply and writing down which it is."""
    with mock.patch.object(Ledger, "set_status_message", side_effect=asyncio.CancelledError):
        before = len(said(house))
        message = house.speak(number)
        await house.until_said(before + 1)
        return await house.note_of(message)


def replies_to(house: House, note: Note) -> list[str]:
    return [
        message.text or ""
        for message in house.playground.messages(house.chat())
        if message.reply_to_message and message.reply_to_message.message_id == note.message_id
    ]


def door_of(house: House) -> TelegramDoor:
    return TelegramDoor(Delivery(house.bot, house.ledger))


async def test_a_status_reply_whose_sender_died_is_removed_once_the_text_is_there(house: House) -> None:
    note = await welcomed_by_a_dying_bot(house, 1)
    await door_of(house).done(note, transcript("The text."))
    assert said(house) == ["The text."]
    ended = await house.ledger.get(note.id)
    assert ended is not None
    assert ended.stray_after is None


async def test_a_bot_that_starts_again_welcomes_the_notes_that_the_one_before_it_did_not(house: House) -> None:
    note = await welcomed_by_a_dying_bot(house, 1)
    await house.app.intake.resume(datetime.now(UTC))
    (only,) = [message for message in house.playground.messages(house.chat()) if is_status(message)]
    welcomed = await house.ledger.get(note.id)
    assert welcomed is not None
    assert (welcomed.status_message_id, welcomed.stray_after) == (only.message_id, None)
    await house.queued(1)


async def test_a_note_that_cannot_be_welcomed_keeps_none_of_the_others_from_it(house: House) -> None:
    notes = [await welcomed_by_a_dying_bot(house, number) for number in (1, 2)]
    house.playground.fail_next("sendMessage", code=500)
    await house.app.intake.resume(datetime.now(UTC))
    assert [bool(note and note.status_message_id) for note in [await house.ledger.get(note.id) for note in notes]] == [
        False,
        True,
    ]
    await house.queued(2)


async def test_a_status_reply_whose_answer_was_lost_is_removed_once_the_text_is_there(house: House) -> None:
    house.playground.fail_next("sendMessage", drop="after")
    message = house.speak(1)
    await house.queued(1)
    note = await house.note_of(message)
    await door_of(house).done(note, transcript("The text."))
    assert said(house) == ["The text."]


async def test_a_text_whose_sender_died_is_not_there_twice(house: House) -> None:
    _, note = await waiting(house)
    with mock.patch.object(Ledger, "set_status_message", side_effect=asyncio.CancelledError):
        house.playground.delete(house.playground.messages(house.chat())[-1])
        with pytest.raises(asyncio.CancelledError):
            await door_of(house).done(note, transcript("The text."))
    latest = await house.ledger.get(note.id)
    assert latest is not None
    await door_of(house).done(latest, transcript("The text."))
    assert said(house) == ["The text."]


async def test_a_part_of_a_text_whose_answer_was_lost_is_not_there_twice(house: House) -> None:
    door, note = await waiting(house)
    whole = " ".join(f"Sentence number {number} of many." for number in range(300))
    house.playground.fail_next("sendMessage", drop="after")
    with pytest.raises(RetryLater):
        await door.done(note, transcript(whole))
    latest = await house.ledger.get(note.id)
    assert latest is not None
    await door.done(latest, transcript(whole))
    assert " ".join(said(house)) == whole
    house.playground.violations[:] = [word for word in house.playground.violations if "not modified" not in word]


async def test_each_note_takes_only_its_own_stray_away(house: House) -> None:
    first, second = [await welcomed_by_a_dying_bot(house, number) for number in (1, 2)]
    ada = house.person()
    house.playground.send_text(house.chat(), ada, "Are you there?")
    await door_of(house).done(second, transcript("Second."))
    assert replies_to(house, second) == ["Second."]
    (orphan,) = [message for message in house.playground.messages(house.chat()) if is_status(message)]
    assert orphan.reply_markup is not None
    wanted = status_message.NoteButton(action=status_message.CANCEL, note_id=first.id).pack()
    assert orphan.reply_markup.inline_keyboard[0][0].callback_data == wanted
    await door_of(house).done(first, transcript("First."))
    assert replies_to(house, first) == ["First."]
    assert "Are you there?" in [message.text for message in house.playground.messages(house.chat())]


async def test_what_is_not_the_notes_is_never_deleted_though_the_search_loses_an_answer(house: House) -> None:
    note = await welcomed_by_a_dying_bot(house, 1)
    older = InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text="Older", callback_data="older")]])
    await house.bot.send_message(house.chat().id, "The first page.", reply_markup=older)
    house.playground.fail_next(PROBING, drop="after", times=3)
    await door_of(house).done(note, transcript("The text."))
    assert sorted(words for words in said(house) if not words.startswith("In the queue")) == [
        "The first page.",
        "The text.",
    ]


async def test_a_stray_that_somebody_else_deleted_first_does_no_harm(house: House) -> None:
    note = await welcomed_by_a_dying_bot(house, 1)
    house.playground.fail_next("deleteMessage", code=400, description="Bad Request: message to delete not found")
    await door_of(house).done(note, transcript("The text."))
    assert "The text." in said(house)


async def test_what_was_surely_not_sent_leaves_no_doubt(house: House) -> None:
    house.playground.fail_next("sendMessage", code=403, description="Forbidden: passing trouble")
    message = house.speak(1)
    await house.queued(1)
    note = await house.note_of(message)
    assert (note.status_message_id, note.stray_after) == (None, None)


async def test_a_search_that_is_cut_short_goes_on_where_it_was(house: House) -> None:
    note = await welcomed_by_a_dying_bot(house, 1)
    house.playground.fail_next(PROBING, drop="before", times=50)
    with pytest.raises((RetryLater, TelegramNetworkError)):
        await door_of(house).done(note, transcript("The text."))
    assert "The text." in said(house)
    house.playground.faults.pending.clear()
    await door_of(house).done(note, transcript("The text."))
    assert said(house) == ["The text."]
    house.playground.violations[:] = [word for word in house.playground.violations if "not modified" not in word]


async def test_a_search_leaves_the_chat_free_for_answers(settings: Settings, playground: Playground) -> None:
    async with open_house(settings, playground, RateWindows(chat=RateWindow(6, 60))) as house:
        group = playground.group(-5, members=(house.person(),))
        with mock.patch.object(Ledger, "set_status_message", side_effect=asyncio.CancelledError) as dying:
            voice = playground.send_voice(group, house.person(), sound())
            await until(lambda: dying.called)
        note = await house.note_of(voice)
        for _ in range(10):
            playground.send_text(group, house.person(), "People talk meanwhile.")
        with pytest.raises(RetryLater):
            await door_of(house).done(note, transcript("The text."))
        with total_timeout(0):
            await house.bot.send_message(group.id, "Another answer.")
        latest = await house.ledger.get(note.id)
        assert latest is not None
        assert latest.stray_after is not None
        assert house.texts(group) == ["The text.", "Another answer."]


def is_status(message: Message) -> bool:
    return (message.text or "").startswith("In the queue")


async def test_a_group_that_became_a_supergroup_has_one_answer_however_often_it_is_told(house: House) -> None:
    message, _, moved = await house.waits_in_a_group_that_moves()
    house.playground.send_text(moved, house.person(), "The first message of the new group.")
    note = await house.note_of(message)
    for _ in range(2):
        await door_of(house).done(note, transcript("The text."))
    latest = await house.ledger.get(note.id)
    assert latest is not None
    assert latest.answer_chat_id == moved.id
    (answer,) = [said for said in house.playground.messages(moved) if said.text == "The text."]
    assert answer.reply_to_message is None
    house.playground.violations[:] = [word for word in house.playground.violations if "not modified" not in word]


async def test_a_topic_that_was_closed_leaves_its_note_undelivered_and_stops_nothing_else(house: House) -> None:
    ada = house.person()
    forum = house.playground.group(forum=True, members=(ada,))
    thread = house.playground.topic(forum, ada, "Talks")
    note = house.playground.send_voice(forum, ada, sound(18), thread_id=thread)
    await house.hear("In the queue")
    await house.queued(1)
    house.playground.delete(house.playground.messages(forum)[-1])
    house.playground.close_topic(forum, thread)
    await house.start_worker()
    ended = await house.delivered(note)
    assert (ended.delivered_at, "TOPIC_CLOSED" in (ended.undeliverable or "")) == (None, True)
    await house.answered(house.speak(19))
