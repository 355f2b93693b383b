"""The bot's name in reply to a recording in a group: transcribes one that the bot has not been sent."""

from aiogram import Bot, F, Router
from aiogram.enums import ChatType
from aiogram.types import Message

from bot.chat.handlers.note_lookup import NoteLookup


def router() -> Router:
    """Return the router of mentions."""
    own = Router(name="mention")
    in_reply = F.chat.type != ChatType.PRIVATE, F.text, F.reply_to_message
    own.message.register(take_in, *in_reply, _names_the_bot)
    return own


async def take_in(message: Message, lookup: NoteLookup) -> None:
    """Take in the recording; one that is known has its answer already."""
    await lookup.take_in(message, {})


async def _names_the_bot(message: Message, bot: Bot) -> bool:
    me = await bot.me()
    return f"@{me.username}".lower() in (message.text or "").lower()
