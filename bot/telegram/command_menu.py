"""The list of commands that Telegram shows: by who sees it, and in which language."""

import structlog
from aiogram import Bot
from aiogram.exceptions import TelegramAPIError
from aiogram.types import (
    BotCommand,
    BotCommandScopeAllGroupChats,
    BotCommandScopeAllPrivateChats,
    BotCommandScopeChat,
    BotCommandScopeDefault,
    BotCommandScopeUnion,
)

from bot.chat.texts import SOURCE, languages, say, speaking

COMMANDS = ("start", "help", "history", "retry", "cancel", "audio", "delete", "stats")
ADMIN_COMMANDS = ("queue",)
_EVERYWHERE = ("start", "help")
_GROUP_COMMANDS = ("help", "history", "retry", "cancel", "audio", "delete")

log = structlog.get_logger(__name__)


def describe(command: str) -> str:
    """Say in the current language what a command does."""
    return {
        "start": say("what I do"),
        "help": say("all commands"),
        "history": say("the recordings of this chat"),
        "retry": say("transcribe again; “/retry de” in another language"),
        "cancel": say("stop transcribing"),
        "audio": say("send the recording again"),
        "delete": say("delete a recording and its text"),
        "stats": say("what I did for you"),
        "queue": say("how busy I am"),
    }[command]


async def register_commands(bot: Bot) -> None:
    """Tell Telegram which commands to show where."""
    for language in languages():
        with speaking(language):
            await _register(bot, _EVERYWHERE, BotCommandScopeDefault(), language)
            await _register(bot, COMMANDS, BotCommandScopeAllPrivateChats(), language)
            await _register(bot, _GROUP_COMMANDS, BotCommandScopeAllGroupChats(), language)


async def register_admin_commands(bot: Bot, admin_id: int) -> None:
    """Show an admin theirs as well, in the current language; Telegram wants them to have written to the bot before."""
    await _register(bot, (*COMMANDS, *ADMIN_COMMANDS), BotCommandScopeChat(chat_id=admin_id), SOURCE)


async def _register(bot: Bot, names: tuple[str, ...], scope: BotCommandScopeUnion, language: str) -> None:
    commands = [BotCommand(command=name, description=describe(name)) for name in names]
    try:
        await bot.set_my_commands(commands, scope=scope, language_code=None if language == SOURCE else language)
    except TelegramAPIError as refusal:
        log.warning("commands_not_registered", scope=scope.type, language=language, reason=refusal.message)
