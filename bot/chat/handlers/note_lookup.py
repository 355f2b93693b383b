"""Which note a command or a button means, and who may change it. Nobody reaches a note of another chat."""

from dataclasses import dataclass

from aiogram import Bot
from aiogram.enums import ChatMemberStatus
from aiogram.types import CallbackQuery, Message

from bot.chat.access import Access
from bot.chat.handlers.respond import respond
from bot.chat.texts import translate
from storage.ledger import Ledger
from storage.note import Note

_CHAT_ADMINS = (ChatMemberStatus.CREATOR, ChatMemberStatus.ADMINISTRATOR)


@dataclass(frozen=True, slots=True)
class NoteLookup:
    """Finds the note that a person means."""

    bot: Bot
    ledger: Ledger
    access: Access

    async def for_message(self, message: Message) -> Note | None:
        """Give the note that a command is a reply to, else the newest of its chat; if there is none, say so."""
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

    async def for_button(self, press: CallbackQuery, note_id: str) -> Note | None:
        """Give the note whose button was pressed, if it is of this chat; else say that it is gone."""
        note = await self.ledger.get(note_id)
        if note and press.message and (note.bot_id, note.answer_chat_id) == (self.bot.id, press.message.chat.id):
            return note
        await press.answer(translate("This recording was deleted."), show_alert=True)
        return None

    async def can_change(self, note: Note, user_id: int) -> bool:
        """Tell whether a person may cancel or delete a note: its sender, and in a group also those who run it."""
        if user_id in {note.user_id, note.answer_chat_id} or self.access.is_admin(user_id):
            return True
        member = await self.bot.get_chat_member(note.answer_chat_id, user_id)
        return member.status in _CHAT_ADMINS


def replied_message(message: Message) -> Message | None:
    """Give the message that this is a reply to; the beginning of its topic, to which every message replies, is none."""
    pointed = message.reply_to_message
    return None if pointed is None or pointed.forum_topic_created else pointed


def not_allowed_text() -> str:
    """Say that a note belongs to somebody else."""
    return translate("Only whoever sent this recording, or runs this group, may do that.")
