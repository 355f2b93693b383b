"""How an answer gets into its chat, also when Telegram makes trouble."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from aiogram import Bot
from aiogram.client.session.middlewares.base import NextRequestMiddlewareType
from aiogram.methods import Response, TelegramMethod
from aiogram.types import File, Message
from structlog.testing import capture_logs

from bot.chat.delivery import Delivery
from bot.chat.telegram_door import TelegramDoor
from bot.playground.stored_files import Kind
from bot.telegram import downloads
from bot.telegram.errors import FileGone, FileTooBig
from engine.transcript import Segment, Transcript
from jobs.door import RetryLater, Undeliverable
from storage.note import Failure
from storage.telegram.message import TelegramNote
from tests.bot.conftest import House, sound, until


def transcript(*texts: str, speakers: tuple[str | None, ...] = ()) -> Transcript:
    segments = [
        Segment(start=i, end=i + 1, text=text, speaker=speakers[i] if speakers else None)
        for i, text in enumerate(texts)
    ]
    return Transcript(language="en", duration=len(texts), segments=tuple(segments), model="m")


async def waiting(
    house: House, kind: Kind = "voice", file_name: str | None = None
) -> tuple[TelegramDoor, TelegramNote]:
    """Give a door, and a note that waits in the queue."""
    message = house.speak(1, kind=kind, file_name=file_name)
    await house.hear("In the queue")
    await house.queued(1)
    return TelegramDoor(Delivery(house.bot, house.ledger)), await house.note_of(message)


def forgive_repetition(house: House) -> None:
    """An answer that is delivered twice edits its message into what it is already: that is how it stays one answer."""
    violations = house.playground.violations
    assert [words for words in violations if "message is not modified" in words]
    violations[:] = [words for words in violations if "message is not modified" not in words]


def said(house: House) -> list[str]:
    return house.texts(house.chat())


async def test_a_long_text_continues_in_further_replies_and_only_once(house: House) -> None:
    door, note = await waiting(house)
    whole = " ".join(f"Sentence number {number} of many." for number in range(300))
    for _ in range(2):
        await door.done(note, transcript(whole))
    assert len(said(house)) == 3
    assert " ".join(said(house)) == whole
    assert all(text.endswith("of many.") for text in said(house))
    assert set(await house.ledger.text_parts(note.id)) == {1, 2}
    last = house.playground.messages(house.chat())[-1]
    assert last.reply_to_message is not None
    assert last.reply_to_message.message_id == note.message_id
    assert (await house.note_of(last)).id == note.id
    forgive_repetition(house)


async def test_a_run_that_was_cut_short_sends_only_what_is_missing(house: House) -> None:
    door, note = await waiting(house)
    whole = "word. " * 2000
    house.playground.fail_next("sendMessage", code=403, description="Forbidden: passing trouble")
    with pytest.raises(Undeliverable):
        await door.done(note, transcript(whole))
    assert len(said(house)) == 1
    await door.done(note, transcript(whole))
    assert len(said(house)) == 3
    forgive_repetition(house)


async def test_a_very_long_text_comes_as_a_document(house: House) -> None:
    door, note = await waiting(house, kind="audio", file_name="Board meeting.wav")
    whole = " ".join(f"Sentence <{number}> é." for number in range(2000))
    for _ in range(2):
        await door.done(note, transcript(whole))
    document = await house.playground.wait_for(lambda message: message.document is not None)
    assert document.document is not None
    assert document.document.file_name == "Board meeting.txt"
    assert house.playground.content(document).decode() == whole + "\n"
    assert len(said(house)) == 2, "a beginning and one document"
    assert said(house)[0].startswith("Sentence <0> é. Sentence <1> é.")
    assert said(house)[0].endswith("The whole text is in the file below.")
    forgive_repetition(house)


async def test_voices_are_bold(house: House) -> None:
    door, note = await waiting(house)
    await door.done(note, transcript("a < b", "so?", speakers=("1", "2")))
    answer = await house.hear("Speaker 1\na < b")
    assert [entity.extract_from(answer.text or "") for entity in answer.entities or []] == ["Speaker 1", "Speaker 2"]


async def test_silence_is_said_to_be_silence(house: House) -> None:
    door, note = await waiting(house)
    await door.done(note, transcript())
    assert said(house) == ["No speech found in this recording."]


async def test_below_the_text_of_a_recording_that_breaks_off_stands_how_much_is_there(house: House) -> None:
    await house.start_worker()
    ada = house.person(language="de")
    note = house.playground.send_voice(house.chat(), ada, sound(1, seconds=8)[:128_044])
    text, warning = ((await house.answered(note)).text or "").split("\n\n")
    assert text.startswith("fake 4.0s")
    assert warning.startswith("Diese Aufnahme müsste 0:08 lang sein, aber nur 0:04 davon sind lesbar.")


async def test_no_speech_in_a_part_is_not_no_speech_at_all(house: House) -> None:
    door, note = await waiting(house)
    await door.done(note, replace(transcript(), duration=3_599.4, promised_duration=5_000))
    assert said(house)[0].startswith("No speech found in this recording.\n\n")
    assert "should last 1:23:20, but only 59:59" in said(house)[0]


async def test_an_answer_without_a_status_reply_is_sent_as_one(house: House) -> None:
    house.playground.fail_next("sendMessage", code=400, description="Bad Request: something odd")
    message = house.speak(1)
    await house.queued(1)
    door, note = TelegramDoor(Delivery(house.bot, house.ledger)), await house.note_of(message)
    assert note.status_message_id is None
    for _ in range(2):
        await door.done(note, transcript("hi"))
    assert said(house) == ["hi"]
    forgive_repetition(house)


@pytest.mark.parametrize("how", ["delete", "retry"])
async def test_a_text_that_is_on_its_way_stops_when_nobody_wants_it_any_more(house: House, how: str) -> None:
    door, note = await waiting(house)
    mine = await house.ledger.claim(note.id, "me")
    assert mine is not None
    whole = transcript(" ".join(f"Sentence number {number} of many." for number in range(450)))
    assert await house.ledger.finish(note.id, mine.fence, whole, engine_s=1, digest="d")
    second_part = house.hold_next("sendMessage")
    delivering = asyncio.create_task(door.done(mine, whole))
    await second_part.arrived.wait()
    if how == "delete":
        await house.ledger.delete(note.id)
    else:
        await house.ledger.retry(note.id, {})
    second_part.released.set()
    await delivering
    assert len([request for request in house.playground.requests if request.method == "sendMessage"]) == 2
    assert len(said(house)) == 1, "the part that came too late was taken back"


async def test_erasing_finds_the_part_that_is_sent_meanwhile(house: House) -> None:
    _, note = await waiting(house)
    answers = Delivery(house.bot, house.ledger)
    deletion = house.hold_next("deleteMessage")
    erasing = asyncio.create_task(answers.delete_messages(note))
    await deletion.arrived.wait()
    part = await answers.reply(note, "late")
    await house.ledger.add_part(note.id, 1, part.message_id)
    deletion.released.set()
    await erasing
    assert said(house) == []


async def test_a_text_whose_markup_is_refused_is_shown_without_it(house: House) -> None:
    door, note = await waiting(house)
    house.playground.fail_next(
        "editMessageText", code=400, description="Bad Request: can't parse entities: unsupported start tag"
    )
    await door.done(note, transcript("a < b", "b & c", speakers=("A", "B")))
    assert said(house) == ["A\na < b\n\nB\nb & c"]


async def test_an_answer_for_a_deleted_note_is_not_sent(house: House) -> None:
    door, note = await waiting(house)
    await house.ledger.delete(note.id)
    await door.done(note, transcript("secret"))
    assert "secret" not in said(house)


@pytest.mark.parametrize("trouble", [{"code": 500}, {"code": 502}, {"drop": "before"}, {"drop": "after"}])
async def test_an_edit_is_repeated_until_it_is_through(house: House, trouble: dict[str, object]) -> None:
    door, note = await waiting(house)
    house.playground.fail_next("editMessageText", times=2, **trouble)  # type: ignore[arg-type]  # the playground's own options
    if trouble == {"drop": "after"}:
        house.playground.faults.pending[0].times = 1  # done the first time, so the second finds nothing to change
    await door.done(note, transcript("hi"))
    assert said(house) == ["hi"]


async def test_flood_control_is_obeyed_to_the_second(house: House) -> None:
    door, note = await waiting(house)
    house.playground.fail_next("editMessageText", code=429, retry_after=1)
    await door.done(note, transcript("hi"))
    first, second = [request for request in house.playground.requests if request.method == "editMessageText"]
    assert second.at - first.at >= 1
    assert said(house) == ["hi"]


async def test_a_long_penalty_puts_the_job_back(house: House) -> None:
    door, note = await waiting(house)
    house.playground.fail_next("editMessageText", code=429, retry_after=3000)
    with pytest.raises(RetryLater) as later:
        await door.done(note, transcript("hi"))
    assert 2990 < later.value.after_s <= 3000


async def test_a_flooded_chat_does_not_stop_the_worker_for_others(house: House) -> None:
    door, note = await waiting(house)
    house.playground.fail_next("editMessageText", code=429, retry_after=20)
    async with asyncio.timeout(3):
        with pytest.raises(RetryLater) as later:
            await door.done(note, transcript("hi"))
        with pytest.raises(RetryLater):
            await door.failed(note, Failure(code="timeout", params={"limit_s": 600}))
    assert 19 < later.value.after_s <= 20
    assert len([request for request in house.playground.requests if request.method == "editMessageText"]) == 1


async def test_progress_neither_waits_nor_comes_after_the_text(house: House) -> None:
    door, note = await waiting(house)
    mine = await house.ledger.claim(note.id, "me")
    assert mine is not None
    progress = house.hold_next("editMessageText")
    await door.look_up(mine)
    await door.progress(mine, 0.5)
    await progress.arrived.wait()
    done = asyncio.create_task(door.done(mine, transcript("hi")))
    await asyncio.sleep(0.05)
    progress.released.set()
    await done
    assert said(house) == ["hi"]
    shown = house.playground.versions(house.playground.messages(house.chat())[-1])
    assert [version.text for version in shown][1:] == ["Transcribing… 50 %", "hi"]


async def test_progress_that_comes_after_another_worker_delivered_is_not_the_last_word(house: House) -> None:
    _, note = await waiting(house)
    frozen, other = [TelegramDoor(Delivery(house.bot, house.ledger)) for _ in range(2)]
    held = await house.ledger.claim(note.id, "worker")
    assert held is not None
    frozen_until = asyncio.Event()

    async def freeze_progress(
        make_request: NextRequestMiddlewareType[Message], bot: Bot, method: TelegramMethod[Message]
    ) -> Response[Message] | Message:
        if getattr(method, "text", "").startswith("Transcribing"):
            await frozen_until.wait()
        return await make_request(bot, method)

    house.bot.session.middleware(freeze_progress)  # type: ignore[arg-type]  # aiogram's type holds for all methods at once
    await frozen.look_up(held)
    await frozen.progress(held, 0.5)
    await asyncio.sleep(0.1)
    text = transcript("The text.")
    assert await house.ledger.finish(note.id, held.fence, text, engine_s=1, digest="d")
    await other.done(held, text)
    assert await house.ledger.mark_delivered(note.id, held.fence)
    assert said(house) == ["The text."]
    frozen_until.set()
    await until(lambda: len(house.playground.versions(house.playground.messages(house.chat())[-1])) == 4)
    assert said(house) == ["The text."]


async def test_a_worker_that_lost_its_note_shows_no_progress(house: House) -> None:
    door, note = await waiting(house)
    await door.look_up(note)
    await door.progress(note, 0.5)
    await asyncio.sleep(0.2)
    assert said(house)[0].startswith("In the queue")


async def test_a_failure_is_said_in_the_senders_language(house: House) -> None:
    house.person(1, "fr")
    message = house.speak(1)
    await house.hear("Dans la file d\u2019attente")
    door, note = TelegramDoor(Delivery(house.bot, house.ledger)), await house.note_of(message)
    await door.failed(note, Failure(code="timeout", params={"limit_s": 600}))
    failed = await house.hear("La transcription a duré plus de 600 s")
    assert buttons_of(failed) == ["Réessayer"]


def buttons_of(message: Message) -> list[str]:
    return [
        button.text for row in (message.reply_markup.inline_keyboard if message.reply_markup else []) for button in row
    ]


class TestFetching:
    async def test_the_file_comes_under_a_name_of_our_own(self, house: House) -> None:
        door, note = await waiting(house, kind="audio", file_name="../../evil.wav")
        path = await door.fetch(note, house.settings.data_dir)
        assert path.parent == house.settings.data_dir
        assert path.name.startswith(note.id)
        assert path.read_bytes() == sound(1)

    async def test_an_expired_link_is_asked_for_again(self, house: House) -> None:
        door, note = await waiting(house)
        house.playground.fail_next("download", code=404)
        assert (await door.fetch(note, house.settings.data_dir)).read_bytes() == sound(1)

    @pytest.mark.parametrize("trouble", [{"code": 500}, {"drop": "before"}, {"drop": "midway"}])
    async def test_a_broken_download_begins_again(self, house: House, trouble: dict[str, object]) -> None:
        door, note = await waiting(house)
        house.playground.fail_next("download", **trouble)  # type: ignore[arg-type]  # the playground's own options
        assert (await door.fetch(note, house.settings.data_dir)).read_bytes() == sound(1)

    async def test_downloads_that_never_succeed_wait_for_better_times(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(downloads, "FIRST_PAUSE_S", 0.01)
        door, note = await waiting(house)
        house.playground.fail_next("download", code=500, times=50)
        with pytest.raises(RetryLater):
            await door.fetch(note, house.settings.data_dir)

    async def test_a_file_that_is_too_big_is_named_with_the_limit(self, house: House) -> None:
        door, note = await waiting(house)
        house.playground.fail_next("getFile", code=400, description="Bad Request: file is too big")
        with pytest.raises(FileTooBig, match="larger than 20 MB"):
            await door.fetch(note, house.settings.data_dir)

    async def test_a_server_in_local_mode_names_a_file_on_disk(self, house: House, tmp_path: Path) -> None:
        (tmp_path / "kept.oga").write_bytes(sound(3))

        async def locally(
            make_request: NextRequestMiddlewareType[File], bot: Bot, method: TelegramMethod[File]
        ) -> Response[File] | File:
            answer = await make_request(bot, method)
            if isinstance(answer, File):
                return answer.model_copy(update={"file_path": str(tmp_path / "kept.oga")})
            return answer

        door, note = await waiting(house)
        house.bot.session.middleware(locally)  # type: ignore[arg-type]  # aiogram's type holds for all methods at once
        assert (await door.fetch(note, tmp_path)).read_bytes() == sound(3)
        (tmp_path / "kept.oga").unlink()
        with capture_logs() as logs, pytest.raises(RetryLater):
            await door.fetch(note, tmp_path)
        assert [line["path"] for line in logs if line["event"] == "local_file_unreadable"] == [
            str(tmp_path / "kept.oga")
        ]

    @pytest.mark.parametrize("words", ["invalid file_id", "wrong remote file identifier specified: Wrong padding"])
    async def test_a_file_that_telegram_does_not_know_is_asked_for_again(self, house: House, words: str) -> None:
        door, note = await waiting(house)
        house.playground.fail_next("getFile", code=400, description=f"Bad Request: {words}")
        with pytest.raises(FileGone):
            await door.fetch(note, house.settings.data_dir)

    @pytest.mark.parametrize(
        ("code", "description"),
        [
            (400, "Bad Request: wrong file_id or the file is temporarily unavailable"),
            (401, "Unauthorized"),
            (404, "Not Found"),
        ],
    )
    async def test_a_refusal_that_may_pass_is_waited_out(self, house: House, code: int, description: str) -> None:
        door, note = await waiting(house)
        house.playground.fail_next("getFile", code=code, description=description)
        with capture_logs() as logs, pytest.raises(RetryLater):
            await door.fetch(note, house.settings.data_dir)
        assert ["token_refused"] * (code != 400) == [line["event"] for line in logs if line["log_level"] == "error"]
        assert (await door.fetch(note, house.settings.data_dir)).read_bytes() == sound(1)
