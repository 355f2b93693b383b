"""Voice notes, and files that hold sound."""

from aiogram import Bot, Router
from aiogram.types import Message

from bot.chat.intake import Intake, incoming_of, sound_of


def router() -> Router:
    """Make the router of these handlers."""
    own = Router(name="notes")
    own.message.register(take_in, lambda message: sound_of(message) is not None)
    return own


async def take_in(message: Message, bot: Bot, intake: Intake) -> None:
    """Write the note down; what follows happens beside the next updates."""
    if incoming := incoming_of(message, bot.id):
        await intake.take(incoming)
