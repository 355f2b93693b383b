"""Messages that were sent while their sender died or lost the line: a text is told once, the rest can be removed."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from unittest import mock

import pytest
from aiogram.types import Message

from bot.chat import status_message
from bot.chat.delivery import PLACEHOLDER, Delivery
from bot.chat.telegram_door import TelegramDoor
from engine.transcript import Transcript
from jobs.door import RetryLater
from storage.errors import DatabaseFault, DatabaseUnreachable
from storage.note import Failure, Note, State
from storage.telegram.ledger import TelegramLedger
from storage.telegram.message import TelegramNote
from tests.bot.chat.test_delivery import forgive_repetition, said, transcript, waiting
from tests.bot.conftest import BOB, House, sound, until

LONG = " ".join(f"Sentence number {number} of many." for number in range(300))


@contextmanager
def death_before(recording: str) -> Iterator[None]:
    """Let whoever sends a message die before it records which it is, and everybody who sends one in this block."""
    with mock.patch.object(TelegramLedger, recording, side_effect=asyncio.CancelledError):
        yield


async def welcomed_by_a_dying_bot(house: House, number: int) -> TelegramNote:
    with death_before("set_status_message"):
        before = len(said(house))
        message = house.speak(number)
        await house.until_said(before + 1)
        return await house.note_of(message)


async def latest(house: House, note: Note) -> TelegramNote:
    found = await house.ledger.telegram_note(note.id)
    assert found is not None
    return found


def door_of(house: House) -> TelegramDoor:
    return TelegramDoor(Delivery(house.bot, house.ledger))


def statuses(house: House) -> list[Message]:
    return [message for message in house.playground.messages(house.chat()) if is_status(message)]


def sending(house: House) -> int:
    """Give how many messages the bot has begun to send, also those that it took back."""
    return len([request for request in house.playground.requests if request.method == "sendMessage"])


def is_status(message: Message) -> bool:
    return (message.text or "").startswith(("In the queue", PLACEHOLDER))


def texts(house: House) -> list[str]:
    shown = [message for message in house.playground.messages(house.chat()) if not is_status(message)]
    return [message.text or "" for message in shown if message.from_user and message.from_user.is_bot]


async def test_a_bot_that_starts_again_welcomes_the_notes_that_the_one_before_it_did_not(house: House) -> None:
    note = await welcomed_by_a_dying_bot(house, 1)
    await house.app.intake.resume(await house.ledger.current_time())
    newest = statuses(house)[-1]
    assert (await latest(house, note)).status_message_id == newest.message_id
    await house.queued(1)


async def test_a_bot_that_starts_again_sends_no_second_status_reply_to_who_has_one_by_then(house: House) -> None:
    note = await house.note_of(house.speak())
    await house.queued(1)
    sent = sending(house)

    async def listed_earlier(*_: object) -> list[Note]:
        return [replace(note, status_message_id=None)]

    with mock.patch.object(house.ledger, "without_status_message", listed_earlier):
        await house.app.intake.resume(await house.ledger.current_time())
    assert sending(house) == sent


async def test_a_queue_that_goes_away_meanwhile_is_told_in_the_same_status_reply(house: House) -> None:
    async def is_away(*_: object) -> bool:
        return False

    with mock.patch.object(house.queue, "enqueue", is_away):
        house.speak()
        await house.hear("does not answer")
    assert sending(house) == 1


async def test_a_note_that_cannot_be_welcomed_keeps_none_of_the_others_from_it(house: House) -> None:
    notes = [await welcomed_by_a_dying_bot(house, number) for number in (1, 2)]
    house.playground.fail_next("sendMessage", code=500)
    await house.app.intake.resume(await house.ledger.current_time())
    assert [bool((await latest(house, note)).status_message_id) for note in notes] == [False, True]
    await house.queued(2)


async def test_a_text_whose_sender_died_is_not_there_twice(house: House) -> None:
    _, note = await waiting(house)
    house.playground.delete(house.playground.messages(house.chat())[-1])
    with death_before("set_status_message"), pytest.raises(asyncio.CancelledError):
        await door_of(house).done(note, transcript("The text."))
    await door_of(house).done(await latest(house, note), transcript("The text."))
    assert texts(house) == ["The text."]
    assert [message.text for message in statuses(house)] == [PLACEHOLDER]


async def test_a_part_of_a_text_whose_sender_died_is_not_there_twice(house: House) -> None:
    door, note = await waiting(house)
    with death_before("add_part"), pytest.raises(asyncio.CancelledError):
        await door.done(note, transcript(LONG))
    await door.done(await latest(house, note), transcript(LONG))
    assert " ".join(texts(house)) == LONG
    forgive_repetition(house)


async def test_a_part_of_a_text_whose_answer_was_lost_is_not_there_twice(house: House) -> None:
    door, note = await waiting(house)
    house.playground.fail_next("sendMessage", drop="after")
    with pytest.raises(RetryLater):
        await door.done(note, transcript(LONG))
    await door.done(await latest(house, note), transcript(LONG))
    assert " ".join(texts(house)) == LONG
    forgive_repetition(house)


async def test_a_part_that_was_sent_but_not_filled_is_filled_by_whoever_goes_on(house: House) -> None:
    door, note = await waiting(house)
    dying = mock.patch.object(Delivery, "_edit", side_effect=[None, asyncio.CancelledError])
    with dying, pytest.raises(asyncio.CancelledError):
        await door.done(note, transcript(LONG))
    await door.done(await latest(house, note), transcript(LONG))
    assert " ".join(said(house)) == LONG


async def test_a_failure_whose_sender_died_is_not_there_twice(house: House) -> None:
    _, note = await waiting(house)
    house.playground.delete(house.playground.messages(house.chat())[-1])
    failure = Failure(code="timeout", params={"limit_s": 600})
    with death_before("set_status_message"), pytest.raises(asyncio.CancelledError):
        await door_of(house).failed(note, failure)
    await door_of(house).failed(await latest(house, note), failure)
    (told,) = texts(house)
    assert "600" in told


async def test_a_message_that_cannot_be_recorded_is_taken_back(house: House) -> None:
    door, note = await waiting(house)
    house.playground.delete(house.playground.messages(house.chat())[-1])
    outage = DatabaseUnreachable(where="here", reason="away")
    with mock.patch.object(TelegramLedger, "set_status_message", side_effect=outage), pytest.raises(DatabaseFault):
        await door.done(note, transcript("The text."))
    assert said(house) == []


async def test_a_message_whose_sender_is_told_to_stop_is_recorded(house: House) -> None:
    door, note = await waiting(house)
    house.playground.delete(house.playground.messages(house.chat())[-1])
    sending = house.hold_next("sendMessage")
    telling = asyncio.create_task(door.done(note, transcript("The text.")))
    await sending.arrived.wait()
    telling.cancel()
    sending.released.set()
    with pytest.raises(asyncio.CancelledError):
        await telling
    (only,) = statuses(house)
    assert (await latest(house, note)).status_message_id == only.message_id


async def test_a_worker_that_lost_its_note_takes_its_part_of_the_text_back(house: House) -> None:
    door, note = await waiting(house)
    stale = await house.ledger.claim(note.id, "frozen")
    assert stale is not None
    second_part = house.hold_next("sendMessage")
    frozen = asyncio.create_task(door.done(stale, transcript(LONG)))
    await second_part.arrived.wait()
    await house.ledger.release(note.id, stale.fence)
    mine = await house.ledger.claim(note.id, "awake")
    assert mine is not None
    await door_of(house).done(mine, transcript(LONG))
    second_part.released.set()
    await frozen
    assert " ".join(said(house)) == LONG
    forgive_repetition(house)


async def test_cancel_on_a_leftover_status_cancels_the_note_and_removes_that_message(house: House) -> None:
    note = await welcomed_by_a_dying_bot(house, 1)
    (leftover,) = statuses(house)
    assert await house.press(leftover, "Cancel") == "Cancelled."
    assert (await latest(house, note)).state is State.CANCELLED
    await until(lambda: said(house) == ["Cancelled."])


async def test_cancel_on_a_leftover_status_beside_the_text_removes_that_message_alone(house: House) -> None:
    note = await welcomed_by_a_dying_bot(house, 1)
    await finished(house, note, transcript("The text."))
    (leftover,) = statuses(house)
    assert await house.press(leftover, "Cancel") == "This recording is finished already."
    await until(lambda: said(house) == ["The text."])


async def test_cancel_on_the_leftover_status_of_a_deleted_note_removes_it(house: House) -> None:
    note = await welcomed_by_a_dying_bot(house, 1)
    await house.ledger.delete(note.id)
    (leftover,) = statuses(house)
    assert await house.press(leftover, "Cancel") == "This recording was deleted."
    await until(lambda: said(house) == [])


async def test_retry_on_a_leftover_status_begins_anew_and_removes_that_message(house: House) -> None:
    _, note = await waiting(house)
    await house.press(statuses(house)[0], "Cancel")
    leftover = await house.bot.send_message(
        house.chat().id, "Cancelled, too.", reply_markup=status_message.retry_button(note.id)
    )
    assert await house.press(leftover, "Retry") == ""
    assert (await latest(house, note)).state is State.QUEUED
    await until(lambda: "Cancelled, too." not in said(house))
    await house.hear("In the queue")
    assert len(said(house)) == 1


async def test_a_button_of_a_known_message_leaves_it_where_it_is(house: House) -> None:
    await waiting(house)
    (status,) = statuses(house)
    await house.press(status, "Cancel")
    await asyncio.sleep(0.3)
    assert said(house) == ["Cancelled."]


async def test_who_may_not_cancel_a_note_removes_no_message_about_it(house: House) -> None:
    group = house.playground.group(-5, members=(house.person(), house.person(BOB)))
    with death_before("set_status_message"):
        house.playground.send_voice(group, house.person(), sound(1))
        leftover = await house.hear("In the queue", chat=group)
    told = await house.press(leftover, "Cancel", by=BOB)
    assert told.startswith("Only the sender")
    await asyncio.sleep(0.3)
    assert len(house.texts(group)) == 1


async def finished(house: House, note: Note, text: Transcript) -> None:
    mine = await house.ledger.claim(note.id, "worker")
    assert mine is not None
    assert await house.ledger.finish(note.id, mine.fence, text, engine_s=1, digest="d")
    await door_of(house).done(mine, text)
    assert await house.ledger.mark_delivered(note.id, mine.fence)


async def test_a_group_that_became_a_supergroup_has_one_answer_however_often_it_is_told(house: House) -> None:
    message, _, moved = await house.waits_in_a_group_that_moves()
    house.playground.send_text(moved, house.person(), "The first message of the new group.")
    note = await house.note_of(message)
    for _ in range(2):
        await door_of(house).done(note, transcript("The text."))
    latest = await house.ledger.telegram_note(note.id)
    assert latest is not None
    assert latest.answer_chat_id == moved.id
    (answer,) = [said for said in house.playground.messages(moved) if said.text == "The text."]
    assert answer.reply_to_message is None
    house.playground.violations[:] = [word for word in house.playground.violations if "not modified" not in word]
