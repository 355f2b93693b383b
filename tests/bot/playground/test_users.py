import asyncio
from pathlib import Path

import pytest
from aiogram import Bot
from aiogram.types import Chat, User

from bot.playground.server import Playground


async def test_a_recording_may_come_from_a_file(playground: Playground, chat: Chat, ada: User, tmp_path: Path) -> None:
    path = tmp_path / "talk.mp3"
    path.write_bytes(b"ID3")
    sent = playground.send_voice(chat, ada, path, kind="audio")
    assert sent.audio is not None
    assert (sent.audio.file_name, sent.audio.mime_type) == ("talk.mp3", "audio/mpeg")


async def test_a_command_is_marked_as_one(playground: Playground, bot: Bot, chat: Chat, ada: User) -> None:
    playground.send_text(chat, ada, "/history 2")
    (update,) = await bot.get_updates()
    assert update.message is not None
    assert [(one.type, one.length) for one in update.message.entities or []] == [("bot_command", 8)]


async def test_waiting_ends_when_the_bot_has_said_it(playground: Playground, bot: Bot, chat: Chat, ada: User) -> None:
    playground.send_text(chat, ada, "done")
    waiting = asyncio.create_task(playground.wait_for(lambda message: message.text == "done", 10))
    sent = await bot.send_message(chat.id, "working")
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await bot.edit_message_text("done", chat_id=chat.id, message_id=sent.message_id)
    assert (await waiting).message_id == sent.message_id


async def test_waiting_in_vain_says_what_was_said(playground: Playground, bot: Bot, chat: Chat) -> None:
    await bot.send_message(chat.id, "something else")
    with pytest.raises(TimeoutError, match="something else"):
        await playground.wait_for(lambda message: message.text == "done", 0.05)


async def test_only_buttons_that_are_there_can_be_pressed(
    playground: Playground, bot: Bot, chat: Chat, ada: User
) -> None:
    sent = await bot.send_message(chat.id, "x")
    with pytest.raises(ValueError, match="has no button"):
        playground.press(sent, "c:1", ada)


async def test_only_topics_that_are_there_can_be_written_to(playground: Playground, forum: Chat, ada: User) -> None:
    with pytest.raises(ValueError, match="has no topic 5"):
        playground.send_text(forum, ada, "hi", thread_id=5)


async def test_a_message_without_a_file_has_no_content(playground: Playground, chat: Chat, ada: User) -> None:
    said = playground.send_text(chat, ada, "hi")
    with pytest.raises(ValueError, match="carries no file"):
        playground.content(said)


async def test_opening_a_chat_twice_keeps_it(playground: Playground, chat: Chat, ada: User) -> None:
    playground.send_text(chat, ada, "hi")
    assert playground.private_chat(ada) == chat
    assert len(playground.messages(chat)) == 1
