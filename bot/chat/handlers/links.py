"""/start with a code, as a link to the bot sends it: gives a role to whoever opens the link first."""

from aiogram import Bot, F, Router
from aiogram.enums import ChatType
from aiogram.filters import CommandObject, CommandStart
from aiogram.types import Message, Update

from bot.chat.access import Access
from bot.chat.handlers.respond import respond
from bot.chat.sender import sender_of
from bot.chat.texts import translate
from storage.telegram.ledger import TelegramLedger


def router() -> Router:
    """Return the router of links."""
    own = Router(name="links")
    own.message.register(open_link, CommandStart(deep_link=True), F.chat.type == ChatType.PRIVATE)
    return own


def opens_link(update: Update) -> bool:
    """Tell whether an update is a private /start with a code; a stranger may send that, too."""
    message = update.message
    if message is None or message.chat.type != ChatType.PRIVATE:
        return False
    command, _, code = (message.text or "").partition(" ")
    return command == "/start" and bool(code.strip())


async def open_link(message: Message, command: CommandObject, bot: Bot, ledger: TelegramLedger, access: Access) -> None:
    """Use up the link, and tell the sender what they may do now."""
    sender = sender_of(message)
    if sender is None:
        return
    role = await ledger.open_link(bot.id, (command.args or "").strip(), sender.id)
    if role is None:
        await respond(message, translate("This link was used already, or it is not valid. Ask for a new one."))
        return
    access.remember(sender.id, role)
    await respond(
        message,
        translate("You are the admin of this bot now. Send me a voice note, and see /help for what you can do."),
    )
