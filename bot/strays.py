"""Messages of the bot that nobody heard of: a process died, or the line broke, while one was being sent.

The ledger knows where such a message can be. It is recognised by what it replies to, and deleted, since another took
its place.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from aiogram import Bot
from aiogram.exceptions import (
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNotFound,
    TelegramRetryAfter,
)
from aiogram.types import Message

from bot import status
from bot.persistence import NEVER_SENT
from storage.ledger import Ledger
from storage.note import Note

REFUSALS = (TelegramForbiddenError, TelegramBadRequest, TelegramMigrateToChat, TelegramNotFound)
_MOST = 60  # further up, other chats' messages have used up the numbers, and looking would take minutes

log = structlog.get_logger(__name__)


def surely_not_sent(error: Exception) -> bool:
    """Tell whether a message that could not be sent is certainly not in its chat."""
    return isinstance(error, (*REFUSALS, TelegramRetryAfter)) or isinstance(error.__cause__, NEVER_SENT)


@dataclass(frozen=True, slots=True)
class Strays:
    """Finds the messages that nobody heard of."""

    bot: Bot
    ledger: Ledger

    @asynccontextmanager
    async def findable(self, note: Note) -> AsyncIterator[None]:
        """Send a message for `note` inside the block, and write down its number: else it can be found later."""
        await self.ledger.expect_message(note.id)
        try:
            yield
        except Exception as error:
            if surely_not_sent(error):
                await self._none_by(note)
            raise
        await self._none_by(note)

    async def _none_by(self, note: Note) -> None:
        """Keep that this message is no stray; if there was one before it may still be there."""
        if note.stray_after is None:
            await self.ledger.narrow_strays(note.id, None)

    async def remove(self, note_id: str) -> None:
        """Delete what may have been sent for the note besides what the ledger knows. Goes on where it was cut short."""
        note = await self.ledger.get(note_id)
        if note is None or note.stray_after is None:
            return
        for number in await self.ledger.possible_strays(note, _MOST):
            if await self._answers(note, number):
                log.info("stray_removed", note=note.id, message=number)
                await self.bot.delete_message(note.answer_chat_id, number)
            await self.ledger.narrow_strays(note.id, number)
        await self.ledger.narrow_strays(note.id, None)

    async def _answers(self, note: Note, number: int) -> bool:
        """Tell whether a message is ours and replies to `note`: only our own can be edited, and an edit shows it."""
        shown = await self._with_button(note, number, note.id)
        if not isinstance(shown, Message):
            return shown
        asked = shown.reply_to_message
        if asked is None or asked.message_id == note.message_id:
            return asked is not None
        other = await self.ledger.by_message(note.bot_id, note.answer_chat_id, asked.message_id)
        if other is not None:
            await self._with_button(note, number, other.id)
        return False

    async def _with_button(self, note: Note, number: int, note_id: str) -> Message | bool:
        """Give the message as it is with the button to cancel `note_id`; True if it had that one, False if not ours."""
        try:
            return await self.bot.edit_message_reply_markup(
                chat_id=note.answer_chat_id, message_id=number, reply_markup=status.cancel_button(note_id)
            )
        except REFUSALS:
            return False
