"""/audio: sends the recording again."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiogram import Bot, Router
from aiogram.exceptions import TelegramBadRequest
from aiogram.filters import Command
from aiogram.types import Message

from bot.chat.delivery import in_reply_to, send_in_thread
from bot.chat.handlers.note_lookup import NoteLookup
from bot.chat.handlers.respond import respond
from bot.chat.texts import translate
from bot.telegram.errors import FileGone
from bot.telegram.request_policy import at_least_once
from storage.note import Note


def router() -> Router:
    """Return the router of /audio."""
    own = Router(name="audio")
    own.message.register(send_recording, Command("audio"))
    return own


async def send_recording(message: Message, bot: Bot, lookup: NoteLookup) -> None:
    """Send the chosen recording again by its file_id."""
    note = await lookup.for_message(message)
    if note is None:
        return
    try:
        with at_least_once():
            await send_in_thread(note, lambda thread_id: _send(bot, note, thread_id))
    except TelegramBadRequest:
        await respond(message, translate(FileGone.sentence))


def _send(bot: Bot, note: Note, thread_id: int | None) -> Awaitable[Message]:
    methods: dict[str, Callable[..., Awaitable[Message]]] = {
        "voice": bot.send_voice,
        "audio": bot.send_audio,
        "video": bot.send_video,
        "video_note": bot.send_video_note,
        "document": bot.send_document,
    }
    where: dict[str, Any] = {"message_thread_id": thread_id, "reply_parameters": in_reply_to(note)}
    return methods[note.kind](note.answer_chat_id, note.file_id, **where)
