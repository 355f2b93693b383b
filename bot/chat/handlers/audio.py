"""/audio: sends the recording again."""

from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from aiogram import Bot, Router
from aiogram.exceptions import TelegramBadRequest
from aiogram.filters import Command
from aiogram.types import BufferedInputFile, Message

from bot.chat.delivery import in_reply_to, send_in_thread
from bot.chat.handlers.note_lookup import NoteLookup
from bot.chat.handlers.respond import respond
from bot.chat.texts import translate
from bot.telegram.errors import FileGone
from bot.telegram.request_policy import at_least_once
from storage.artefacts.artefacts import Artefacts
from storage.errors import ArtefactsFault
from storage.telegram.message import TelegramNote

MAX_UPLOAD_BYTES = 50_000_000  # what Telegram takes from a bot

log = structlog.get_logger(__name__)


def router() -> Router:
    """Return the router of /audio."""
    own = Router(name="audio")
    own.message.register(send_recording, Command("audio"))
    return own


async def send_recording(message: Message, bot: Bot, lookup: NoteLookup, artefacts: Artefacts) -> None:
    """Send the chosen recording again: as Telegram has it, else as it was kept."""
    note = await lookup.for_message(message)
    if note is None:
        return
    if not await _send(bot, note, note.file_id):
        kept = await _kept(artefacts, note)
        if kept is None or not await _send(bot, note, kept):
            await respond(message, translate(FileGone.sentence))


async def _kept(artefacts: Artefacts, note: TelegramNote) -> BufferedInputFile | None:
    try:
        found = await artefacts.recording(note.id, MAX_UPLOAD_BYTES)
    except ArtefactsFault as fault:
        log.warning("recording_not_read", note=note.id, error=str(fault))
        return None
    return None if found is None else BufferedInputFile(found[1], filename=found[0])


async def _send(bot: Bot, note: TelegramNote, file: str | BufferedInputFile) -> bool:
    """Send the file in reply to the note; return False if Telegram refuses it."""
    try:
        with at_least_once():
            await send_in_thread(note, lambda thread_id: _request(bot, note, file, thread_id))
    except TelegramBadRequest:
        return False
    return True


def _request(bot: Bot, note: TelegramNote, file: str | BufferedInputFile, thread_id: int | None) -> Awaitable[Message]:
    methods: dict[str, Callable[..., Awaitable[Message]]] = {
        "voice": bot.send_voice,
        "audio": bot.send_audio,
        "video": bot.send_video,
        "video_note": bot.send_video_note,
        "document": bot.send_document,
    }
    where: dict[str, Any] = {"message_thread_id": thread_id, "reply_parameters": in_reply_to(note)}
    return methods[note.kind](note.answer_chat_id, file, **where)
