"""What people can ask of the bot, and who may."""

import json

import pytest
from aiogram.types import Message
from structlog.testing import capture_logs

from bot.chat.status_message import CANCEL, NoteButton
from bot.config.settings import Settings
from bot.playground.server import Playground
from engine.settings import EngineSettings
from storage.note import State
from storage.telegram.message import account_of_user
from tests.bot.conftest import ADA, BOB, ROOT, House, awaited, open_house, sound, until


async def transcribed(house: House, seed: int, *, id: int = ADA) -> tuple[Message, Message]:  # noqa: A002 - Telegram's own word
    """Send a note and wait for its text."""
    note = house.speak(seed, id=id)
    answer = await house.answered(note)
    await house.delivered(note)
    return note, answer


async def test_start_and_help_introduce_the_bot(house: House) -> None:
    house.say("/start")
    await house.hear("Hello!")
    house.say("/help@earshot_bot")
    assert "/queue" not in ((await house.hear("/history: ")).text or "")


async def test_an_answer_comes_although_telegram_failed(house: House) -> None:
    house.chat()
    house.playground.fail_next("sendMessage", code=502)
    house.say("/help")
    await house.hear("/history: ")


async def test_people_are_spoken_to_in_their_language(house: House) -> None:
    house.person(BOB, "de-AT")
    house.say("/start", id=BOB)
    await house.hear("Hallo!")
    house.speak(1, id=BOB)
    assert (await house.hear("In der Warteschlange, Platz 1, etwa")).reply_markup is not None


async def test_history_lists_ten_and_turns_pages_and_opens_texts(house: House) -> None:
    await house.start_worker()
    for note in [house.speak(seed) for seed in range(12)]:
        await house.delivered(note)
    house.say("/history")
    page = await house.hear("Recordings in this chat, page 1 of 2")
    lines = (page.text or "").splitlines()[2:]
    assert len(lines) == 10
    assert lines[0].startswith("1. ")
    assert " · 1 s · fake 1.0s " in lines[0]
    await house.press(page, "older ›")  # noqa: RUF001 - the button's own arrow
    older = await house.hear("page 2 of 2")
    assert older.message_id == page.message_id
    assert (older.text or "").count("fake 1.0s") == 2
    oldest = house.playground.messages(house.chat())[0]
    await house.press(older, "12")
    copy = await house.playground.wait_for(lambda message: message.message_id > page.message_id)
    assert copy.reply_to_message is not None
    assert copy.reply_to_message.message_id == oldest.message_id
    assert (copy.text or "").startswith("fake 1.0s")
    await house.delivered(copy)
    house.say("/audio", reply_to=copy)
    again = await house.playground.wait_for(lambda message: message.voice is not None)
    assert house.playground.content(again) == house.playground.content(oldest)


async def test_a_recording_that_telegram_no_longer_has_is_sent_from_where_it_was_kept(house: House) -> None:
    await house.start_worker()
    note, answer = await transcribed(house, 1)
    kept = await house.note_of(note)
    sent = house.playground.content(note)
    del house.playground.state.files.by_id[kept.file_id]
    await awaited(lambda: house.ledger.stored_recording(kept.id, 50_000_000))
    house.say("/audio", reply_to=answer)
    again = await house.playground.wait_for(
        lambda message: message.voice is not None and message.message_id > answer.message_id
    )
    assert house.playground.content(again) == sent
    house.playground.delete(again)
    for path in (house.settings.data_dir / "artefacts").glob("2*.oga"):
        path.unlink()
    house.say("/audio", reply_to=answer)
    await house.hear("Telegram does not give me this file any more.")
    violations = house.playground.violations
    violations[:] = [words for words in violations if "wrong file identifier" not in words]


async def test_a_repeat_that_is_cancelled_takes_no_text_away(house: House) -> None:
    await house.start_worker()
    note, _ = await transcribed(house, 1)
    again = await house.ledger.retry((await house.note_of(note)).id, {})
    await house.ledger.cancel(again.id)
    house.say("/history")
    page = await house.hear("Recordings in this chat")
    assert "fake 1.0s" in (page.text or "")
    await house.press(page, "1")
    await house.playground.wait_for(
        lambda message: message.message_id > page.message_id and "fake 1.0s" in (message.text or "")
    )


async def test_an_empty_history_says_what_to_do(house: House) -> None:
    house.say("/history 7")
    await house.hear("There is no recording in this chat yet.")


async def test_a_chat_never_sees_another_chats_recordings(house: House) -> None:
    await house.start_worker()
    await transcribed(house, 1, id=BOB)
    house.say("/history")
    await house.hear("There is no recording in this chat yet.", chat=house.chat())
    for command in ("/audio", "/delete", "/retry", "/cancel"):
        house.say(command)
        house.playground.delete(await house.hear("There is no recording of yours here yet.", chat=house.chat()))


async def test_a_button_of_another_chats_note_does_nothing(house: House) -> None:
    house.speak(1, id=BOB)
    theirs = await house.hear("In the queue")
    house.speak(2)
    mine = await house.hear("In the queue", chat=house.chat())
    assert theirs.reply_markup is not None
    assert mine.reply_markup is not None
    forged = str(theirs.reply_markup.inline_keyboard[0][0].callback_data)
    mine.reply_markup.inline_keyboard[0][0].__dict__["callback_data"] = forged
    house.playground.state.conversations[ADA].messages[mine.message_id].__dict__["reply_markup"] = mine.reply_markup
    assert await house.press(mine, "Cancel") == "This recording was deleted."
    assert (await house.note_of(theirs)).state is State.QUEUED


async def test_retry_transcribes_the_newest_again_in_another_language(house: House) -> None:
    await house.start_worker()
    note, answer = await transcribed(house, 1)
    house.say("/retry JA")
    again = await house.playground.wait_for(
        lambda message: message.message_id > answer.message_id and (message.text or "").startswith("fake")
    )
    kept = await house.delivered(note)
    assert kept.request.get("language") == "ja"
    assert kept.status_message_id == again.message_id
    assert (await house.note_of(answer)).id == kept.id, "the first text still means this note"


async def test_retry_refuses_a_language_that_the_model_does_not_know(house: House) -> None:
    house.say("/retry klingon")
    await house.hear("I don't know the language “klingon”. I know: zh, yue, en, ja, ko.")


async def test_retry_leaves_a_language_to_the_workers_when_only_they_have_the_model(
    settings: Settings, playground: Playground
) -> None:
    elsewhere = settings.model_copy(update={"engine": EngineSettings(model="/models/of-the-workers")})
    async with open_house(elsewhere, playground) as house:
        note = house.speak(1)
        await house.press(await house.hear("In the queue"), "Cancel")
        await house.hear("Cancelled.")
        house.say("/retry klingon")
        await house.queued(1)
        assert (await house.note_of(note)).request.get("language") == "klingon"


async def test_a_failure_that_may_pass_is_a_sentence_with_a_retry_button(
    settings: Settings, playground: Playground
) -> None:
    strict = settings.model_copy(update={"engine": EngineSettings(model="fake", max_audio_s=60)})
    async with open_house(strict, playground) as house:
        await house.start_worker()
        note = playground.send_voice(house.chat(), house.person(), sound(1, seconds=61), duration=1)
        failed = await house.hear("longer than 1 minutes")
        assert (await house.delivered(note)).state is State.FAILED
        assert await house.press(failed, "Retry") == ""
        await until(lambda: len(playground.versions(failed)) >= 4)
        shown = [version.text or "" for version in playground.versions(failed)]
        assert shown[2].startswith("In the queue")
        assert "longer than 1 minutes" in shown[-1]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"this is no sound at all" * 99, "I cannot read this file as audio."),
        (sound(1, seconds=0.05), "shorter than 100 ms"),
    ],
    ids=["no sound", "too short"],
)
async def test_a_failure_that_never_passes_has_no_button_and_is_tried_again_only_by_command(
    house: House, content: bytes, told: str
) -> None:
    await house.start_worker()
    note = house.playground.send_voice(house.chat(), house.person(), content)
    failed = await house.hear(told)
    assert (await house.delivered(note)).state is State.FAILED
    assert failed.reply_markup is None
    house.say("/retry", reply_to=note)
    await until(lambda: len(house.playground.versions(failed)) >= 4)
    queued, *_, again = house.playground.versions(failed)[2:]
    assert (queued.text or "").startswith("In the queue")
    assert (told in (again.text or ""), again.reply_markup) == (True, None)


async def test_cancel_ends_a_waiting_note_and_retry_brings_it_back(house: House) -> None:
    note = house.speak(1)
    status = await house.hear("In the queue")
    assert await house.press(status, "Cancel") == "Cancelled."
    assert (await house.delivered(note)).state is State.CANCELLED
    cancelled = await house.hear("Cancelled.")
    assert cancelled.message_id == status.message_id
    await house.start_worker()
    await house.press(cancelled, "Retry")
    assert (await house.answered(note)).message_id == status.message_id


async def test_a_note_that_is_cancelled_while_it_waits_has_its_line_in_the_log(house: House) -> None:
    note = house.speak(1)
    status = await house.hear("In the queue")
    await house.queued(1)
    with capture_logs() as logs:
        await house.press(status, "Cancel")
    (line,) = [line for line in logs if line["event"] == "voice_note"]
    assert (line["job"], line["outcome"]) == ((await house.note_of(note)).id, "cancelled")


async def test_cancel_stops_a_running_note(slow_house: House) -> None:
    await slow_house.start_worker()
    note = slow_house.playground.send_voice(slow_house.chat(), slow_house.person(), sound(1, seconds=30))
    await slow_house.hear("Transcribing…")
    slow_house.say("/cancel", reply_to=note)
    cancelled = await slow_house.playground.wait_for(
        lambda message: message.text == "Cancelled." and message.reply_markup is not None
    )
    other = slow_house.speak(2)
    await slow_house.answered(other)
    assert slow_house.playground.versions(cancelled)[-1].text == "Cancelled."
    slow_house.say("/cancel")
    await slow_house.hear("This recording is finished already.")


async def test_delete_as_a_reply_removes_everything_at_once(house: House) -> None:
    await house.start_worker()
    note, answer = await transcribed(house, 1)
    kept = await house.note_of(note)
    files = house.settings.data_dir / "artefacts"
    await until(lambda: {path.suffix for path in files.glob("2*")} == {".oga", ".txt", ".vtt"})
    house.say("/delete", reply_to=answer)
    await house.hear("Deleted: the recording, its text, and my messages about it.")
    assert await house.ledger.telegram_note(kept.id) is None
    assert await house.ledger.transcript(kept.id) is None
    await until(lambda: not list(files.glob("2*")))
    assert not any(text.startswith("fake") for text in house.texts(house.chat()))


async def test_delete_of_the_newest_asks_first(house: House) -> None:
    await house.start_worker()
    note, _ = await transcribed(house, 1)
    house.say("/delete")
    question = await house.hear("Delete this recording and its text?")
    await house.press(question, "Keep")
    await house.hear("Kept.")
    house.say("/delete")
    await house.press(await house.hear("Delete this recording"), "Delete")
    await house.hear("Deleted: ")
    assert await house.ledger.by_message(house.bot.id, note.chat.id, note.message_id) is None


async def test_delete_also_ends_a_running_note(slow_house: House) -> None:
    await slow_house.start_worker()
    note = slow_house.playground.send_voice(slow_house.chat(), slow_house.person(), sound(1, seconds=30))
    await slow_house.hear("Transcribing…")
    slow_house.say("/delete", reply_to=note)
    await slow_house.hear("Deleted: ")
    await slow_house.answered(slow_house.speak(2))
    assert not any("Transcribing" in text for text in slow_house.texts(note.chat))


async def test_queue_is_for_admins(house: House) -> None:
    house.say("/queue")
    await house.hear("Only those who run this bot may see that.")
    house.speak(1)
    await house.hear("In the queue")
    house.say("/queue", id=ROOT)
    report = (await house.hear("Queued: 1")).text or ""
    assert "Processing: 0\nFailed: 0\nWorkers: 0, busy: 0\nOldest wait: " in report


async def test_stats_are_ones_own_and_everybodys_for_admins(house: House) -> None:
    await house.start_worker()
    await transcribed(house, 1)
    await transcribed(house, 2, id=BOB)
    house.say("/stats")
    assert "1 recording\n1 transcribed\n0 failed\nSpeech: 1 s" in ((await house.hear("What I did for you:")).text or "")
    house.say("/stats all")
    await house.hear("Only those who run this bot")
    house.say("/stats all", id=ROOT)
    assert "2 recordings\n" in ((await house.hear("What I did for everybody:")).text or "")
    await house.hear("2 people")


async def test_a_stranger_hears_it_once_with_the_number_to_pass_on(house: House) -> None:
    for _ in range(2):
        house.speak(1, id=77)
        house.say("hello", id=77)
    refusal = await house.hear("This is a private bot.")
    assert (refusal.text or "").endswith(": 77")
    house.say("/start")
    await house.hear("Hello!")
    assert len(house.texts(house.chat(77))) == 1
    assert await house.ledger.newest(house.bot.id, 77, 77, None) is None


async def test_in_a_strange_group_the_bot_speaks_only_when_addressed(house: House) -> None:
    stranger = house.person(77)
    group = house.playground.group(members=(stranger,))
    house.playground.send_voice(group, stranger, sound(1))
    house.playground.send_text(group, stranger, "nice weather")
    house.playground.send_text(group, stranger, "/help@another_bot")
    house.say("/start")
    await house.hear("Hello!")
    assert house.texts(group) == []
    house.playground.send_text(group, stranger, "/help@earshot_bot")
    assert (await house.hear("I may not work in this group yet.")).text == house.texts(group)[0]
    assert house.texts(group)[0].endswith(f": {group.id}")


async def test_in_a_group_only_the_sender_or_its_admins_may_delete(house: House) -> None:
    ada, bob = house.person(ADA), house.person(BOB)
    group = house.playground.group(members=(bob,), administrators=(ada,))
    note = house.playground.send_voice(group, bob, sound(1))
    status = await house.hear("In the queue")
    await house.queued(1)
    theirs = house.playground.send_voice(group, ada, sound(2))
    other = await house.hear("place 2")
    house.playground.send_text(group, bob, "/delete", reply_to=theirs)
    await house.hear("Only the sender or a group admin can do that.")
    assert (await house.note_of(other)).state is State.QUEUED
    house.playground.send_text(group, ada, "/delete", reply_to=note)
    await house.hear("Deleted: ")
    assert await house.ledger.by_message(house.bot.id, group.id, status.message_id) is None


async def test_commands_are_registered_by_scope_and_language(house: House) -> None:
    house.say("/start", id=ROOT)
    await house.hear("Hello!")
    await until(lambda: len(registered(house)) == 3 * 6 + 1)
    found = {(scope, language): names for scope, language, names in registered(house)}
    assert found["default", ""] == ["start", "help"]
    assert "history" in found["all_private_chats", "de"]
    assert "start" not in found["all_group_chats", "zh"]
    assert "queue" in found["chat", ""]


def registered(house: House) -> list[tuple[str, str, list[str]]]:
    """Give what was registered: scope, language, commands."""
    asked = [request.params for request in house.playground.requests if request.method.lower() == "setmycommands"]
    return [
        (
            json.loads(params["scope"])["type"],
            params.get("language_code", ""),
            [entry["command"] for entry in json.loads(params["commands"])],
        )
        for params in asked
    ]


async def test_a_chosen_language_is_asked_for_in_all_that_is_sent_from_then_on(house: House) -> None:
    house.say("/language JA")
    await house.hear("I read your recordings in the language “ja”.")
    await house.start_worker()
    assert (await house.delivered(house.speak(1))).request == {"language": "ja"}
    of_bob = house.speak(2, id=BOB)
    assert (await house.delivered(of_bob)).request == {}, "it is the sender's own choice"
    house.say("/language")
    await house.hear("Languages that I know: zh, yue, en, ja, ko.")
    house.say("/language auto")
    await house.hear("I find out by myself which language your recordings are in.")
    assert (await house.delivered(house.speak(3))).request == {}


async def test_a_text_in_a_chosen_language_is_not_that_of_the_same_sound_in_another(house: House) -> None:
    await house.start_worker()
    first = await house.delivered(house.speak(1))
    house.say("/language ja")
    await house.hear("I read your recordings")
    again = await house.delivered(house.speak(1))
    assert again.engine_s, "read once more, not taken from the ledger"
    assert first.request != again.request


async def test_a_language_that_the_model_does_not_know_cannot_be_chosen(house: House) -> None:
    house.say("/language klingon")
    await house.hear("I don't know the language “klingon”. I know: zh, yue, en, ja, ko.")
    assert await house.ledger.account_settings(account_of_user(ADA)) == {}


async def test_a_button_whose_press_is_answered_too_late_does_what_it_says(house: House) -> None:
    note = house.speak(1)
    status = await house.hear("In the queue")
    await house.queued(1)
    cancel = NoteButton(action=CANCEL, note_id=(await house.note_of(note)).id)
    refusal = "Bad Request: query is too old and response timeout expired or query ID is invalid"
    house.playground.fail_next("answerCallbackQuery", code=400, description=refusal)
    with capture_logs() as logs:
        house.playground.press(status, cancel.pack(), house.person())
        await house.hear("Cancelled.")
        await until(lambda: any(request.method == "answerCallbackQuery" for request in house.playground.requests))
        await house.app.background.finish(within_s=5)
    assert [line for line in logs if line["event"] == "handler_failed"] == []
