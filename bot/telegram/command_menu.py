"""Registers the command menu (setMyCommands): which commands are shown to whom, and in which language.

Knows no translations: the descriptions are passed in.
"""

from collections.abc import Iterable, Mapping

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

COMMANDS = ("start", "help", "history", "retry", "language", "cancel", "audio", "delete", "stats")
ADMIN_COMMANDS = ("queue",)
_EVERYWHERE = ("start", "help")
_GROUP_COMMANDS = ("help", "history", "retry", "language", "cancel", "audio", "delete")

log = structlog.get_logger(__name__)

Descriptions = Mapping[str, str]
"""Command name to description."""


async def register_commands(bot: Bot, by_language: Mapping[str | None, Descriptions]) -> None:
    """Register the default menu and those of private chats and of groups, in every language.

    Language None is the fallback for all other languages. A refusal by Telegram is only logged.
    """
    for language, descriptions in by_language.items():
        await _register(bot, _EVERYWHERE, BotCommandScopeDefault(), descriptions, language)
        await _register(bot, COMMANDS, BotCommandScopeAllPrivateChats(), descriptions, language)
        await _register(bot, _GROUP_COMMANDS, BotCommandScopeAllGroupChats(), descriptions, language)


async def register_admin_commands(bot: Bot, admin_id: int, descriptions: Descriptions) -> None:
    """Register an admin's own menu. Telegram refuses that until the admin has written to the bot; it is only logged."""
    await _register(bot, (*COMMANDS, *ADMIN_COMMANDS), BotCommandScopeChat(chat_id=admin_id), descriptions, None)


async def _register(
    bot: Bot, names: Iterable[str], scope: BotCommandScopeUnion, descriptions: Descriptions, language: str | None
) -> None:
    commands = [BotCommand(command=name, description=descriptions[name]) for name in names]
    try:
        await bot.set_my_commands(commands, scope=scope, language_code=language)
    except TelegramAPIError as refusal:
        log.warning("commands_not_registered", scope=scope.type, language=language or "en", reason=refusal.message)
