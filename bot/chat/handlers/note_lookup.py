"""Finds the note that a command or a button refers to, and who may change it. Notes of other chats are out of reach."""

from dataclasses import dataclass

from aiogram import Bot
from aiogram.enums import ChatMemberStatus
from aiogram.types import CallbackQuery, Message

from bot.chat.access import Access
from bot.chat.handlers.respond import respond
from bot.chat.texts import translate
from storage.telegram.ledger import TelegramLedger
from storage.telegram.message import TelegramNote

_CHAT_ADMINS = (ChatMemberStatus.CREATOR, ChatMemberStatus.ADMINISTRATOR)


@dataclass(frozen=True, slots=True)
class NoteLookup:
    """Finds notes of the chat in which a command or a button is used."""

    bot: Bot
    ledger: TelegramLedger
    access: Access

    async def for_message(self, message: Message) -> TelegramNote | None:
        """Return the note that a command replies to, else the newest of its chat; tell the user if there is none."""
        pointed = replied_message(message)
        if pointed:
            note = await self.ledger.by_message(self.bot.id, message.chat.id, pointed.message_id)
            missing = translate("I know no recording that belongs to this message.")
        else:
            note = await self.ledger.newest(self.bot.id, message.chat.id)
            missing = translate("There is no recording in this chat yet. Send me a voice note.")
        if note is None:
            await respond(message, missing)
        return note

    async def for_button(self, press: CallbackQuery, note_id: str) -> TelegramNote | None:
        """Return the note of a pressed button if it belongs to this chat; else tell the user that it was deleted."""
        note = await self.ledger.telegram_note(note_id)
        if note and press.message and (note.bot_id, note.answer_chat_id) == (self.bot.id, press.message.chat.id):
            return note
        await press.answer(translate("This recording was deleted."), show_alert=True)
        return None

    async def can_change(self, note: TelegramNote, user_id: int) -> bool:
        """Tell whether a user may cancel or delete a note: its sender, the bot's admins, and in a group its admins."""
        if user_id in {note.user_id, note.answer_chat_id} or self.access.is_admin(user_id):
            return True
        member = await self.bot.get_chat_member(note.answer_chat_id, user_id)
        return member.status in _CHAT_ADMINS


def replied_message(message: Message) -> Message | None:
    """Return the message that this one replies to; None if it is only the first of the topic, as for any message."""
    pointed = message.reply_to_message
    return None if pointed is None or pointed.forum_topic_created else pointed


def not_allowed_text() -> str:
    """Return the refusal to change another person's note."""
    return translate("Only whoever sent this recording, or runs this group, may do that.")
