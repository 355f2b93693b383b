"""Messages with audio: voice notes, audio files, videos, documents."""

from aiogram import Bot, Router
from aiogram.types import Message

from bot.chat.attachments import find_audio, incoming_note
from bot.chat.intake import ChatIntake


def router() -> Router:
    """Return the router of messages with audio."""
    own = Router(name="notes")
    own.message.register(accept, lambda message: find_audio(message) is not None)
    return own


async def accept(message: Message, bot: Bot, intake: ChatIntake) -> None:
    """Record the note; answering and enqueuing happen in the background."""
    if incoming := incoming_note(message, bot.id):
        await intake.accept(incoming)
