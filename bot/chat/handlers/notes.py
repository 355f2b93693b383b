"""Voice notes, and files that hold sound."""

from aiogram import Bot, Router
from aiogram.types import Message

from bot.chat.attachments import find_audio, incoming_note
from bot.chat.intake import Intake


def router() -> Router:
    """Make the router of these handlers."""
    own = Router(name="notes")
    own.message.register(accept, lambda message: find_audio(message) is not None)
    return own


async def accept(message: Message, bot: Bot, intake: Intake) -> None:
    """Write the note down; what follows happens beside the next updates."""
    if incoming := incoming_note(message, bot.id):
        await intake.accept(incoming)
