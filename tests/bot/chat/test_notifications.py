"""Which of the bot's messages make a sound."""

import asyncio
from datetime import timedelta
from unittest import mock

import pytest

from bot.chat import delivery
from bot.chat.delivery import Delivery
from bot.chat.telegram_door import TelegramDoor
from engine.transcript import Transcript
from storage.errors import DatabaseFault, DatabaseUnreachable
from storage.note import Failure
from storage.telegram.ledger import TelegramLedger
from storage.telegram.message import TelegramNote
from tests.bot.chat.test_delivery import forgive_repetition, said, transcript, waiting
from tests.bot.conftest import House

LONG = transcript(" ".join(f"Sentence number {number} of many." for number in range(300)))


@pytest.fixture
def long_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody has waited long."""
    monkeypatch.setattr(delivery, "_LONG_WAIT", timedelta(0))


def sounds(house: House) -> list[str]:
    """Give the methods of the requests whose messages make a sound."""
    return [
        request.method
        for request in house.playground.requests
        if request.method in {"sendMessage", "sendDocument"} and request.params["disable_notification"] != "true"
    ]


@pytest.mark.parametrize("text", [transcript("hi"), LONG, transcript("")])
async def test_an_answer_that_is_there_soon_makes_no_sound(house: House, text: Transcript) -> None:
    door, note = await waiting(house)
    status_message_id = note.status_message_id
    await door.done(note, text)
    assert sounds(house) == []
    assert (await latest(house, note)).status_message_id == status_message_id


@pytest.mark.usefixtures("long_wait")
@pytest.mark.parametrize("text", [transcript("hi"), transcript("")])
async def test_an_answer_after_a_long_wait_replaces_the_status_reply_and_makes_one_sound(
    house: House, text: Transcript
) -> None:
    door, note = await waiting(house)
    for _ in range(2):
        await door.done(note, text)
    assert sounds(house) == ["sendMessage"]
    (answer,) = said(house)
    assert answer == ("hi" if text.segments[0].text else "No speech found in this recording.")
    assert (await latest(house, note)).status_message_id != note.status_message_id
    forgive_repetition(house)


@pytest.mark.usefixtures("long_wait")
async def test_a_failure_after_a_long_wait_makes_one_sound(house: House) -> None:
    door, note = await waiting(house)
    for _ in range(2):
        await door.failed(note, Failure(code="timeout", params={"limit_s": 600}))
    assert sounds(house) == ["sendMessage"]
    assert len(said(house)) == 1
    forgive_repetition(house)


@pytest.mark.usefixtures("long_wait")
async def test_of_a_long_text_after_a_long_wait_the_second_part_makes_the_sound(house: House) -> None:
    door, note = await waiting(house)
    await door.done(note, LONG)
    assert sounds(house) == ["sendMessage"]
    assert len(said(house)) == 3
    assert (await latest(house, note)).status_message_id == note.status_message_id


@pytest.mark.usefixtures("long_wait")
async def test_a_file_after_a_long_wait_makes_the_sound(house: House) -> None:
    door, note = await waiting(house)
    await door.done(note, transcript(*(f"Sentence number {number} of very many." for number in range(1500))))
    assert sounds(house) == ["sendDocument"]


@pytest.mark.usefixtures("long_wait")
async def test_a_text_that_was_delivered_makes_no_further_sound(house: House) -> None:
    door, note = await waiting(house)
    claimed = await house.ledger.claim(note.id, "me")
    assert claimed is not None
    assert await house.ledger.finish(note.id, claimed.fence, transcript("hi"), engine_s=1, digest="d")
    assert await house.ledger.mark_delivered(note.id, claimed.fence)
    await door.done(claimed, transcript("hi"))
    assert sounds(house) == []
    assert said(house) == ["hi"]


@pytest.mark.usefixtures("long_wait")
async def test_whoever_goes_on_after_a_fault_sends_no_second_message(house: House) -> None:
    door, note = await waiting(house)
    outage = DatabaseUnreachable(where="here", reason="away")
    with mock.patch.object(TelegramLedger, "set_status_message", side_effect=outage), pytest.raises(DatabaseFault):
        await door.done(note, transcript("hi"))
    await TelegramDoor(Delivery(house.bot, house.ledger)).done(note, transcript("hi"))
    assert sounds(house) == ["sendMessage"]
    assert said(house) == ["hi"]


@pytest.mark.usefixtures("long_wait")
async def test_a_note_that_is_deleted_meanwhile_leaves_no_message(house: House) -> None:
    door, note = await waiting(house)
    sending = house.hold_next("sendMessage")
    delivering = asyncio.create_task(door.done(note, transcript("hi")))
    await sending.arrived.wait()
    await Delivery(house.bot, house.ledger).delete_messages(note)
    await house.ledger.delete(note.id)
    sending.released.set()
    await delivering
    assert said(house) == []


async def latest(house: House, note: TelegramNote) -> TelegramNote:
    found = await house.ledger.telegram_note(note.id)
    assert found is not None
    return found
