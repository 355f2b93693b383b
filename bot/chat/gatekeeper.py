"""Middleware for every update: checks access, handles notes before they are acknowledged, and the rest in background.

Updates of users without access are answered here and go no further.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiogram import BaseMiddleware, Bot
from aiogram.enums import ChatType
from aiogram.types import CallbackQuery, Chat, Message, TelegramObject, Update

from bot.chat.access import Access, RefusalThrottle
from bot.chat.attachments import find_audio
from bot.chat.background_tasks import BackgroundTasks
from bot.chat.command_texts import command_texts
from bot.chat.handlers.added import has_joined
from bot.chat.handlers.links import opens_link
from bot.chat.handlers.respond import answer, respond
from bot.chat.sender import Sender, sender_of_update
from bot.chat.texts import translate, use_language
from bot.telegram.command_menu import register_admin_commands
from engine import Fault
from jobs.resilience import retry_until_written
from storage.errors import DatabaseFault
from storage.telegram.ledger import TelegramLedger

Handler = Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]]

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Gatekeeper(BaseMiddleware):
    """The outermost middleware of all updates."""

    access: Access
    ledger: TelegramLedger
    background: BackgroundTasks
    within_s: float | None  # how long the ledger is asked whether a note may be taken in; None: for ever
    refusal_throttle: RefusalThrottle = field(default_factory=RefusalThrottle)
    last_update_id: int | None = None  # the newest update that is taken care of
    known_admins: set[int] = field(default_factory=set)

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> None:
        """Handle an update, or reject it."""
        if not isinstance(event, Update):
            return
        sender, chat = sender_of_update(event, data.get("event_from_user")), data.get("event_chat")
        if sender and isinstance(chat, Chat):
            await self._dispatch(handler, event, data, sender, chat)
        self.last_update_id = event.update_id

    async def _dispatch(
        self, handler: Handler, update: Update, data: dict[str, Any], sender: Sender, chat: Chat
    ) -> None:
        if not _is_recorded(update):
            self.background.spawn(self._check_and_handle(handler, update, data, sender, chat))
        elif await self._admits(data["bot"], sender, chat):
            with use_language(sender.language_code):
                await handler(update, data)
            self._greet_admin(data["bot"], sender, chat)
        else:
            self.background.spawn(self._reject(update, data["bot"], sender, chat))

    async def _admits(self, bot: Bot, sender: Sender, chat: Chat) -> bool:
        """Tell whether a note may be taken in. The ledger is asked only about those whom the settings do not name."""
        if not self.access.settings_allow(sender.id, chat.id):
            async with asyncio.timeout(self.within_s):
                role = await retry_until_written(lambda: self.ledger.role(bot.id, sender.id))
            self.access.remember(sender.id, role)
        return self.access.allows(sender.id, chat.id)

    async def _check_and_handle(
        self, handler: Handler, update: Update, data: dict[str, Any], sender: Sender, chat: Chat
    ) -> None:
        with suppress(DatabaseFault):  # then what was known last counts
            self.access.remember(sender.id, await self.ledger.role(data["bot"].id, sender.id))
        if self.access.allows(sender.id, chat.id) or opens_link(update):
            await _handle(handler, update, data, sender)
            self._greet_admin(data["bot"], sender, chat)
        else:
            await self._reject(update, data["bot"], sender, chat)

    def _greet_admin(self, bot: Bot, sender: Sender, chat: Chat) -> None:
        if self.access.is_admin(sender.id) and chat.type == ChatType.PRIVATE and sender.id not in self.known_admins:
            self.known_admins.add(sender.id)
            self.background.spawn(_show_admin_commands(bot, sender))

    async def _reject(self, update: Update, bot: Bot, sender: Sender, chat: Chat) -> None:
        with use_language(sender.language_code):
            sentence = _refusal_text(sender, chat)
            if update.callback_query:
                await answer(update.callback_query, sentence, show_alert=True)
            elif update.message and await _is_addressed(update.message, bot) and self.refusal_throttle.is_due(chat.id):
                await respond(update.message, sentence)
            elif (event := update.my_chat_member) and has_joined(event) and self.refusal_throttle.is_due(chat.id):
                await bot.send_message(chat.id, sentence)


def _is_recorded(update: Update) -> bool:
    """Tell whether an update has to be written down before it is acknowledged."""
    message = update.message
    return message is not None and bool(find_audio(message) or message.migrate_to_chat_id)


def _refusal_text(sender: Sender, chat: Chat) -> str:
    if chat.type == ChatType.PRIVATE:
        return translate(
            "This is a private bot. Ask its owner to add you. Your Telegram ID: {user_id}", user_id=sender.id
        )
    return translate(
        "I may not work in this group yet. If you would like me to, ask my owner and pass on the group's number: "
        "{chat_id}",
        chat_id=chat.id,
    )


async def _is_addressed(message: Message, bot: Bot) -> bool:
    """Tell whether a message is meant for the bot: private, or in a group by a mention or a reply."""
    if message.chat.type == ChatType.PRIVATE:
        return True
    me = await bot.me()
    replied_to = message.reply_to_message and message.reply_to_message.from_user
    named = f"@{me.username}".lower() in (message.text or message.caption or "").lower()
    return named or bool(replied_to and replied_to.id == me.id)


async def _handle(handler: Handler, update: Update, data: dict[str, Any], sender: Sender) -> None:
    """Handle an update that is no note, and tell the sender if that fails."""
    with use_language(sender.language_code):
        try:
            await handler(update, data)
        except Exception as error:  # noqa: BLE001 - whatever it is, the person learns it
            tell = log.warning if isinstance(error, Fault) else log.exception  # an outage needs no traceback
            tell("handler_failed", update=update.update_id, error=str(error))
            if update.callback_query:
                await _answer_with_error(update.callback_query)
            elif update.message:
                await respond(update.message, translate(Fault.sentence))


async def _show_admin_commands(bot: Bot, admin: Sender) -> None:
    with use_language(admin.language_code):
        await register_admin_commands(bot, admin.id, command_texts())


async def _answer_with_error(press: CallbackQuery) -> None:
    await answer(press, translate(Fault.sentence), show_alert=True)
