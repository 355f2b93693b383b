"""Messages of the bot that nobody heard of: a process died, or the line broke, while one was being sent.

The ledger knows where such a message can be. It is recognised by what it replies to, and deleted, since another took
its place.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
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
from aiogram.types import InlineKeyboardMarkup, Message

from bot.chat import status_message
from bot.telegram.request_policy import low_priority
from bot.telegram.retries import NEVER_SENT
from storage.ledger import Ledger
from storage.note import Note

PERMANENT_REFUSALS = (TelegramForbiddenError, TelegramBadRequest, TelegramMigrateToChat, TelegramNotFound)
_MAX_CHECKED = 60  # further up, other chats' messages have used up the numbers, and looking would take minutes

log = structlog.get_logger(__name__)


def is_surely_unsent(error: Exception) -> bool:
    """Tell whether a message that could not be sent is certainly not in its chat."""
    return isinstance(error, (*PERMANENT_REFUSALS, TelegramRetryAfter)) or isinstance(error.__cause__, NEVER_SENT)


@dataclass(frozen=True, slots=True)
class LostMessages:
    """Finds the messages that nobody heard of."""

    bot: Bot
    ledger: Ledger

    @asynccontextmanager
    async def tracked(self, note: Note) -> AsyncIterator[None]:
        """Send a message for `note` inside the block, and write down its number: else it can be found later."""
        is_the_only_one = await self.ledger.expect_stray(note.id)
        try:
            yield
        except Exception as error:
            if is_the_only_one and is_surely_unsent(error):
                await self.ledger.set_stray_after(note.id, None)
            raise
        if is_the_only_one:
            await self.ledger.set_stray_after(note.id, None)

    async def remove(self, note_id: str) -> None:
        """Delete what may have been sent for the note besides what the ledger knows. Goes on where it was cut short."""
        note = await self.ledger.get(note_id)
        if note is None or note.stray_after is None:
            return
        with low_priority():
            for number in await self.ledger.possible_stray_ids(note, _MAX_CHECKED):
                if await self._is_reply_to(note, number):
                    log.info("stray_removed", note=note.id, message=number)
                    with suppress(*PERMANENT_REFUSALS):  # whoever sent it was quicker
                        await self.bot.delete_message(note.answer_chat_id, number)
                await self.ledger.set_stray_after(note.id, number)
        await self.ledger.set_stray_after(note.id, None)

    async def _is_reply_to(self, note: Note, number: int) -> bool:
        """Tell whether a message is ours and replies to `note`: only our own can be edited, and an edit shows it."""
        shown = await self._set_button(note, number, status_message.cancel_button(note.id))
        if shown is True:  # it had that button, perhaps from an edit whose answer was lost: that proves nothing
            shown = await self._set_button(note, number, None)
        if not isinstance(shown, Message):
            return False
        asked = shown.reply_to_message
        if asked is None or asked.message_id != note.message_id:
            await self._set_button(note, number, await self._previous_button(note, asked))
            return False
        return True

    async def _previous_button(self, note: Note, asked: Message | None) -> InlineKeyboardMarkup | None:
        """Give the button of the note that a message of ours replies to, while that is not over."""
        other = asked and await self.ledger.by_message(note.bot_id, note.answer_chat_id, asked.message_id)
        return status_message.cancel_button(other.id) if other and not other.state.is_final else None

    async def _set_button(self, note: Note, number: int, button: InlineKeyboardMarkup | None) -> Message | bool:
        """Give the message as it is with `button`; True if it was so before, False if it is not ours."""
        try:
            return await self.bot.edit_message_reply_markup(
                chat_id=note.answer_chat_id, message_id=number, reply_markup=button
            )
        except PERMANENT_REFUSALS:
            return False
