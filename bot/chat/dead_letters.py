"""Middleware that keeps an update which cannot be handled before Telegram hears that it arrived."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog
from aiogram import BaseMiddleware, Bot
from aiogram.types import TelegramObject, Update

from bot.chat.background_tasks import BackgroundTasks
from bot.chat.handlers.respond import respond
from bot.chat.sender import sender_of
from bot.chat.texts import translate, use_language
from bot.telegram.unreadable import unreadable_content
from engine import Fault
from jobs.resilience import retry_until_written
from storage.telegram.ledger import TelegramLedger

DOOR = "telegram"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DeadLetterKeeper(BaseMiddleware):
    """Keeps updates that cannot be read, and those whose handling fails before they are acknowledged."""

    ledger: TelegramLedger
    background: BackgroundTasks
    keep_within_s: float | None  # None: try for ever

    async def __call__(
        self,
        handler: Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]],
        event: TelegramObject,
        data: dict[str, Any],
    ) -> None:
        """Handle an update, or keep it.

        Raises:
            TimeoutError: The database does not work; Telegram has to send the update again.
        """
        if not isinstance(event, Update):
            return
        unreadable = unreadable_content(event)
        if unreadable is not None:
            await self._keep(data["bot"], event.update_id, unreadable, "it cannot be read")
        try:
            await handler(event, data)
        except TimeoutError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the update must not be lost
            body = event.model_dump(mode="json", by_alias=True, exclude_unset=True)
            await self._keep(data["bot"], event.update_id, body, str(error) or repr(error))
            self.background.spawn(_tell_sender(event))

    async def _keep(self, bot: Bot, update_id: int, body: dict[str, Any], reason: str) -> None:
        key = f"{bot.id}:{update_id}"
        async with asyncio.timeout(self.keep_within_s):
            await retry_until_written(lambda: self.ledger.keep_dead_letter(DOOR, key, body, reason))
        log.error("dead_letter", update_id=update_id, reason=reason, remedy="it is in the table dead_letters")


async def _tell_sender(update: Update) -> None:
    if update.message and (sender := sender_of(update.message)):
        with use_language(sender.language_code):
            await respond(update.message, translate(Fault.sentence))
