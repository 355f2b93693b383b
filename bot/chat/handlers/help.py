"""/start and /help."""

from aiogram import Router
from aiogram.filters import Command, CommandStart
from aiogram.types import Message

from bot.chat.access import Access
from bot.chat.command_texts import command_texts
from bot.chat.handlers.respond import respond
from bot.chat.sender import sender_of
from bot.chat.texts import translate
from bot.telegram.command_menu import ADMIN_COMMANDS, COMMANDS


def router() -> Router:
    """Return the router of /start and /help."""
    own = Router(name="help")
    own.message.register(start, CommandStart())
    own.message.register(list_commands, Command("help"))
    return own


async def start(message: Message) -> None:
    """Send the greeting."""
    await respond(
        message,
        translate(
            "Hello! Send or forward me a voice note, an audio file or a video, and I answer with its text. Everything "
            "is recognised on my owner's own machine. /help shows what else I can do."
        ),
    )


async def list_commands(message: Message, access: Access) -> None:
    """Send the list of commands."""
    sender = sender_of(message)
    is_admin = access.is_admin(sender.id if sender else None)
    texts = command_texts()
    lines = [f"/{name}: {texts[name]}" for name in (*COMMANDS, *(ADMIN_COMMANDS if is_admin else ()))]
    rule = translate("Sent as a reply to a recording or to its text, a command acts on that one; else on the newest.")
    await respond(message, "\n".join([*lines, "", rule]))
