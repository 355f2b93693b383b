"""A voice note from its update to its text."""

import asyncio

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from bot.chat.attachments import EXTENSIONS, EXTENSIONS_OF
from bot.chat.delivery import PLACEHOLDER
from bot.config.settings import AccessSettings, Settings
from bot.playground.server import Playground
from bot.playground.stored_files import Kind
from engine.audio.containers import DEMUXERS
from jobs import leases
from storage import states
from storage.note import State
from tests.bot.conftest import BOB, House, awaited, open_house, sound, until

KINDS: tuple[Kind, ...] = ("voice", "audio", "video", "video_note", "document")


async def test_a_voice_note_is_answered_with_its_text_in_the_status_reply(house: House) -> None:
    note = house.speak(1)
    status = await house.hear("In the queue, place 1, about")
    assert status.reply_to_message is not None
    assert status.reply_to_message.message_id == note.message_id
    await house.start_worker()
    answer = await house.answered(note)
    assert answer.message_id == status.message_id
    assert (answer.text or "").startswith("fake 1.0s ")
    assert answer.reply_markup is None
    assert (await house.delivered(note)).state is State.DONE


async def test_the_token_of_the_bot_is_in_no_row(house: House) -> None:
    await house.start_worker()
    note = house.speak(1)
    await house.answered(note)
    await house.delivered(note)
    token = house.settings.telegram.token.get_secret_value().encode()
    rows = b"".join(file.read_bytes() for file in house.settings.data_dir.glob("earshot.db*"))
    assert b"fake 1.0s" in rows
    assert token not in rows


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_recording_is_answered(house: House, kind: Kind) -> None:
    await house.start_worker()
    note = house.speak(2, kind=kind, file_name="talk.wav" if kind in {"audio", "document", "video"} else None)
    await house.answered(note)
    assert (await house.delivered(note)).kind == kind


async def test_a_document_is_known_by_its_name_when_its_type_says_nothing(house: House) -> None:
    await house.start_worker()
    note = house.speak(3, kind="document", mime="application/octet-stream", file_name="Meeting.WAV")
    await house.answered(note)


def test_every_extension_is_one_that_the_engine_reads() -> None:
    assert set(EXTENSIONS_OF) <= set(DEMUXERS.split(","))
    assert {"avi", "flv", "mpg", "ts", "wma", "wmv"}.isdisjoint(EXTENSIONS)


@pytest.mark.parametrize("mime", ["video/x-msvideo", "audio/x-ms-wma", "video/mp2t"])
async def test_a_format_that_the_engine_never_reads_is_no_recording(house: House, mime: str) -> None:
    house.speak(3, kind="document", mime=mime, file_name="talk")
    await house.hear("I can't read this type of file.")


async def test_a_forwarded_note_is_answered(house: House) -> None:
    await house.start_worker()
    await house.answered(house.speak(4, forwarded=True))


async def test_the_second_in_the_queue_is_told_so(house: House) -> None:
    house.speak(5)
    await house.hear("place 1")
    await house.queued(1)
    house.speak(6, id=BOB)
    await house.hear("place 2", chat=house.chat(BOB))


async def test_an_update_that_comes_twice_makes_one_note_and_one_reply(house: House) -> None:
    await house.start_worker()
    note = house.speak(7)
    await house.answered(note)
    await house.delivered(note)
    house.playground.redeliver(1)
    house.say("/stats")
    await house.hear("1 recording\n")
    assert len([text for text in house.texts(note.chat) if text.startswith("fake")]) == 1


async def test_the_same_sound_is_answered_at_once_from_the_ledger(house: House) -> None:
    await house.start_worker()
    first = house.speak(8)
    said = (await house.answered(first)).text
    await house.delivered(first)
    again = house.playground.forward(first, house.chat(BOB), house.person(BOB))
    answer = await house.answered(again)
    assert answer.text == said
    shown = [version.text for version in house.playground.versions(answer)]
    assert shown == [PLACEHOLDER, answer.text], "it never stood in the queue"
    assert (await house.delivered(again)).engine_s == 0


async def test_an_answer_from_the_ledger_is_held_while_telegram_is_slow(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.start_worker()
    first = house.speak(8)
    await house.answered(first)
    await house.delivered(first)
    monkeypatch.setattr(states, "HOLD_S", 1.5)
    monkeypatch.setattr(leases, "RENEW_S", 0.1)
    theirs = house.chat(BOB)
    house.playground.fail_next("sendMessage", chat_id=BOB, delay_s=4)
    with capture_logs() as logs:
        again = house.playground.forward(first, theirs, house.person(BOB))
        note = await house.note_of(again)
        await asyncio.sleep(2.5)
        assert await house.ledger.claim(note.id, "worker") is None
        await house.delivered(again)
        await house.answered(again)
        await awaited(lambda: _stories(logs, note.id))
    (line,) = await _stories(logs, note.id)
    assert (line["outcome"], line["delivery"]) == ("done", "delivered")


async def _stories(logs: list[EventDict], note_id: str) -> list[EventDict]:
    return [line for line in logs if line["event"] == "voice_note" and line["job"] == note_id]


async def test_a_flooded_chat_gets_its_place_in_the_queue_at_once(house: House) -> None:
    house.chat()
    house.playground.fail_next("sendMessage", code=429, retry_after=30)
    house.speak(1)
    async with asyncio.timeout(5):
        await house.queued(1)


async def test_a_bad_update_holds_up_nobody(house: House) -> None:
    await house.start_worker()
    house.playground.send_malformed_update()
    await house.answered(house.speak(9))


async def test_a_chat_that_is_slow_to_write_to_holds_up_nobody(house: House) -> None:
    await house.start_worker()
    house.chat(BOB)
    house.playground.fail_next("sendMessage", chat_id=BOB, delay_s=8)
    late = house.speak(10, id=BOB)
    await house.answered(house.speak(11))
    assert not any(text.startswith("fake") for text in house.texts(late.chat))
    await house.answered(late)


async def test_text_goes_below_a_status_reply_that_its_reader_deleted(house: House) -> None:
    note = house.speak(12)
    house.playground.delete(await house.hear("In the queue"))
    await house.queued(1)
    await house.start_worker()
    answer = await house.answered(note)
    assert (await house.delivered(note)).status_message_id == answer.message_id


async def test_a_chat_that_blocked_the_bot_is_done_with(house: House) -> None:
    note = house.speak(13, id=BOB)
    await house.hear("In the queue")
    await house.queued(1)
    house.playground.block(house.person(BOB))
    await house.start_worker()
    ended = await house.delivered(note)
    assert (ended.state, ended.delivered_at) == (State.DONE, None)
    assert "bot was blocked" in (ended.undeliverable or "")
    await house.answered(house.speak(14))


async def test_a_group_that_became_a_supergroup_still_gets_its_text(house: House) -> None:
    note, _, moved = await house.waits_in_a_group_that_moves()
    await house.start_worker()
    await house.hear("fake 1.0s", chat=moved)
    assert (await house.delivered(note)).answer_chat_id == moved.id
    house.playground.send_text(moved, house.person(), "/history")
    await until(lambda: len(house.texts(moved)) == 2)
    assert "fake 1.0s" in house.texts(moved)[1]


async def test_a_group_that_moved_keeps_its_right_at_once_and_after_a_restart(
    settings: Settings, playground: Playground
) -> None:
    closed = settings.model_copy(update={"access": AccessSettings(chats=[-5])})
    async with open_house(closed, playground) as house:
        _, _, moved = await house.waits_in_a_group_that_moves()
        await house.note_of(playground.send_voice(moved, house.person(), sound(16)))
    async with open_house(closed, playground) as house:
        await house.note_of(playground.send_voice(moved, house.person(), sound(17)))


async def test_a_note_in_a_topic_is_answered_there(house: House) -> None:
    await house.start_worker()
    ada = house.person()
    forum = house.playground.group(forum=True, members=(ada,))
    thread = house.playground.topic(forum, ada, "Talks")
    answer = await house.answered(house.playground.send_voice(forum, ada, sound(16), thread_id=thread))
    assert (answer.message_thread_id, answer.is_topic_message) == (thread, True)
    general = await house.answered(house.playground.send_voice(forum, ada, sound(17)))
    assert not general.is_topic_message


async def test_a_note_in_a_topic_that_was_deleted_is_done_with(house: House) -> None:
    note, thread = await house.waits_in_a_topic()
    house.playground.delete_topic(note.chat, thread)
    await house.start_worker()
    await house.delivered(note)


async def test_a_topic_that_was_closed_leaves_its_note_undelivered_and_stops_nothing_else(house: House) -> None:
    note, thread = await house.waits_in_a_topic()
    house.playground.delete(house.playground.messages(note.chat)[-1])
    house.playground.close_topic(note.chat, thread)
    await house.start_worker()
    ended = await house.delivered(note)
    assert (ended.delivered_at, "TOPIC_CLOSED" in (ended.undeliverable or "")) == (None, True)
    await house.answered(house.speak(19))


async def test_progress_is_shown_while_it_runs(slow_house: House) -> None:
    await slow_house.start_worker()
    note = slow_house.playground.send_voice(slow_house.chat(), slow_house.person(), sound(19, seconds=4))
    running = await slow_house.hear("Transcribing…")
    assert running.reply_markup is not None
    answer = await slow_house.answered(note)
    shown = [version.text or "" for version in slow_house.playground.versions(answer)]
    assert shown[0].startswith("In the queue")
    assert shown[1].startswith("Transcribing…")
    assert shown[-1].startswith("fake 4.0s")


async def test_what_is_no_recording_is_answered_with_what_can_be_sent(house: House) -> None:
    house.speak(20, kind="document", mime="application/pdf", file_name="letter.pdf")
    await house.hear("I can't read this type of file.")
    house.say("How are you?")
    await house.hear("Send or forward me a voice note")
    house.say("/frobnicate")
    await house.hear("I don't know this command.")
