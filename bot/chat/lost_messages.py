"""Deletes messages that may have been sent without their id being recorded: the process or the connection died.

The ledger knows the range of ids. A message of the note is recognised by what it replies to (an edit of its keyboard
returns it) and deleted, since another one took its place.
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
    """Tell whether an error proves that the message did not reach the chat."""
    return isinstance(error, (*PERMANENT_REFUSALS, TelegramRetryAfter)) or isinstance(error.__cause__, NEVER_SENT)


@dataclass(frozen=True, slots=True)
class LostMessages:
    """Finds and deletes lost messages."""

    bot: Bot
    ledger: Ledger

    @asynccontextmanager
    async def tracked(self, note: Note) -> AsyncIterator[None]:
        """Record that a message for `note` is sent inside the block, so that it can be found if its id is lost."""
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
        """Delete messages sent for the note that the ledger does not know. Resumes where it was interrupted."""
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
        """Tell whether a message is the bot's own and replies to `note`, by editing its keyboard."""
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
        """Return the keyboard that another note's status reply had: the Cancel button while that note is unfinished."""
        other = asked and await self.ledger.by_message(note.bot_id, note.answer_chat_id, asked.message_id)
        return status_message.cancel_button(other.id) if other and not other.state.is_final else None

    async def _set_button(self, note: Note, number: int, button: InlineKeyboardMarkup | None) -> Message | bool:
        """Set a message's keyboard and return the message; True if it is unchanged, False if it is not ours."""
        try:
            return await self.bot.edit_message_reply_markup(
                chat_id=note.answer_chat_id, message_id=number, reply_markup=button
            )
        except PERMANENT_REFUSALS:
            return False
