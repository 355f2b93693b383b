"""Finds the note that a command or a button refers to, and who may change it. Notes of other chats are out of reach."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from aiogram import Bot
from aiogram.enums import ChatMemberStatus
from aiogram.exceptions import TelegramBadRequest, TelegramForbiddenError
from aiogram.types import CallbackQuery, Message

from bot.chat.access import Access
from bot.chat.attachments import incoming_note, reply_thread_id
from bot.chat.handlers.respond import answer, respond
from bot.chat.intake import ChatIntake
from bot.chat.sender import sender_of
from bot.chat.texts import translate
from engine import Param
from storage.telegram.ledger import TelegramLedger
from storage.telegram.message import TelegramNote

_CHAT_ADMINS = (ChatMemberStatus.CREATOR, ChatMemberStatus.ADMINISTRATOR)


@dataclass(frozen=True, slots=True)
class NoteLookup:
    """Finds notes of the chat in which a command or a button is used."""

    bot: Bot
    ledger: TelegramLedger
    access: Access
    intake: ChatIntake

    async def for_message(self, message: Message) -> TelegramNote | None:
        """Return the note that a command replies to, else its sender's newest there; tell the user if there is none."""
        pointed = replied_message(message)
        if pointed:
            note = await self.ledger.by_message(self.bot.id, message.chat.id, pointed.message_id)
            missing = translate("I know no recording that belongs to this message.")
        else:
            note = await self._newest_of_sender(message)
            missing = translate("There is no recording of yours here yet. Send me a voice note.")
        if note is None:
            await respond(message, missing)
        return note

    async def take_in(self, message: Message, request: Mapping[str, Param]) -> bool:
        """Take in the recording that a message replies to, unless it is known; tell whether it was taken in.

        Privacy mode hides recordings from the bot, and so does having joined after they were sent.
        """
        pointed = replied_message(message)
        incoming = pointed and incoming_note(pointed, self.bot.id)
        if not incoming or await self.ledger.by_message(self.bot.id, incoming.chat_id, incoming.message_id):
            return False
        await self.intake.accept(replace(incoming, request=request))
        return True

    async def _newest_of_sender(self, message: Message) -> TelegramNote | None:
        sender = sender_of(message)
        if sender is None:
            return None
        return await self.ledger.newest(self.bot.id, message.chat.id, sender.id, reply_thread_id(message))

    async def for_button(self, press: CallbackQuery, note_id: str) -> TelegramNote | None:
        """Return the note of a pressed button if it belongs to this chat; else tell the user that it was deleted."""
        note = await self.ledger.telegram_note(note_id)
        if note and press.message and (note.bot_id, note.answer_chat_id) == (self.bot.id, press.message.chat.id):
            return note
        await answer(press, translate("This recording was deleted."), show_alert=True)
        return None

    async def can_change(self, note: TelegramNote, sender_id: int) -> bool:
        """Tell whether somebody may change a note: its sender, the bot's admins, and in a group its admins.

        An anonymous admin writes as the group itself.
        """
        if sender_id in {note.user_id, note.answer_chat_id} or self.access.is_admin(sender_id):
            return True
        return sender_id > 0 and await self._runs_group(note.answer_chat_id, sender_id)

    async def _runs_group(self, chat_id: int, user_id: int) -> bool:
        """Ask Telegram, which may keep the list of members from a bot that is no admin."""
        try:
            member = await self.bot.get_chat_member(chat_id, user_id)
        except (TelegramBadRequest, TelegramForbiddenError):
            return False
        return member.status in _CHAT_ADMINS


def replied_message(message: Message) -> Message | None:
    """Return the message that this one replies to; None if it is only the first of the topic, as for any message."""
    pointed = message.reply_to_message
    return None if pointed is None or pointed.forum_topic_created else pointed


def not_allowed_text() -> str:
    """Return the refusal to change another person's note."""
    return translate("Only the sender or a group admin can do that.")
