"""Delivers a note's answer: status reply, further parts, a document. Records each message id in the ledger.

Permanent refusals (the chat is gone, the bot was blocked) are logged and recorded; nothing is tried again.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import PurePath

import structlog
from aiogram import Bot
from aiogram.enums import ParseMode
from aiogram.exceptions import TelegramBadRequest, TelegramMigrateToChat
from aiogram.types import (
    BufferedInputFile,
    InlineKeyboardMarkup,
    LinkPreviewOptions,
    Message,
    ReplyParameters,
)

from bot.chat.layout import Reply, has_text, plain_text, render_reply
from bot.chat.lost_messages import PERMANENT_REFUSALS, LostMessages
from bot.chat.texts import missing_audio_text, translate, use_language
from engine import Segment, Transcript
from jobs.note_log import log_outcome
from storage.ledger import Ledger
from storage.note import Note

_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)
_FIRST_COPY = 1000  # parts from here on are copies that somebody asked for later

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class DeliveryOutcome:
    """The result of a delivery: `refusal` is why the chat can never be told, None if it was."""

    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """Sends, edits and deletes the bot's messages about a note."""

    bot: Bot
    ledger: Ledger

    async def record_outcome(self, note: Note, outcome: DeliveryOutcome, fence: int | None = None) -> None:
        """Record in the ledger whether the chat was told, and log the note's canonical line."""
        if outcome.refusal is None:
            await self.ledger.mark_delivered(note.id, fence, run=note.run)
        else:
            await self.ledger.mark_undeliverable(note.id, outcome.refusal, fence, run=note.run)
        if ended := await self.ledger.get(note.id):
            log_outcome(ended)

    @property
    def lost_messages(self) -> LostMessages:
        """The remover of lost messages."""
        return LostMessages(self.bot, self.ledger)

    async def show_status(self, note: Note, text: str, keyboard: InlineKeyboardMarkup | None = None) -> None:
        """Set the text of the note's status reply; send one if there is none, or if it was deleted."""
        await self._in_current_chat(note, lambda: self._show_status(note, text, keyboard))
        await self.lost_messages.remove(note.id)

    async def show_queued(self, note: Note, text: str, keyboard: InlineKeyboardMarkup) -> None:
        """Show the note's place in the queue, unless another process has sent a status reply meanwhile."""
        await self._in_current_chat(note, lambda: self._show_status(note, text, keyboard, is_required=False))
        await self.lost_messages.remove(note.id)

    async def deliver(self, note: Note, transcript: Transcript) -> None:
        """Show the transcript in the status reply, in further parts, or as a document. Sends no part twice.

        It stops when the note is deleted or is transcribed again.
        """
        with use_language(note.locale):
            await self._in_current_chat(note, lambda: self._deliver(note, transcript))
        await self.lost_messages.remove(note.id)

    async def _in_current_chat(self, note: Note, tell: Callable[[], Awaitable[None]]) -> None:
        """Run `tell`; if the note's group migrated, record that and run it again for the supergroup."""
        try:
            await tell()
        except TelegramMigrateToChat as moved:
            latest = await self.ledger.get(note.id) or note
            await self.ledger.migrate_chat(note.bot_id, latest.answer_chat_id, moved.migrate_to_chat_id)
            await tell()

    async def _show_status(
        self,
        note: Note,
        text: str,
        keyboard: InlineKeyboardMarkup | None = None,
        mode: ParseMode | None = None,
        *,
        is_required: bool = True,
    ) -> None:
        current = await self.ledger.get(note.id)
        if current is None or (current.status_message_id and await self._edit(current, text, keyboard, mode)):
            return
        before = current.status_message_id
        async with self.lost_messages.tracked(current):
            sent = await self.reply(current, text, keyboard=keyboard, mode=mode)
            is_kept = await self.ledger.set_status_message(note.id, sent.message_id, instead_of=before)
            if not is_kept:  # the note was deleted meanwhile, or another process was quicker
                await self._delete_if_possible(sent)
        if is_required and not is_kept:
            await self._show_status(note, text, keyboard, mode)

    async def _deliver(self, note: Note, transcript: Transcript) -> None:
        if (current := await self._if_current(note)) is None:
            return
        if not has_text(transcript):
            await self._show_status(current, _nothing_said(transcript))
            return
        reply = _render_reply(transcript)
        first, *rest = reply.messages
        await self._show_status(current, first, mode=ParseMode.HTML)
        sent = await self.ledger.text_parts(note.id)
        for number, text in enumerate(rest, start=1):
            if number not in sent:
                await self._send_part(current, number, partial(self.reply, current, text, mode=ParseMode.HTML))
        if reply.needs_document and 1 not in sent:
            await self._send_part(current, 1, partial(self._document, current, transcript))

    async def send_copy(self, note: Note, transcript: Transcript) -> None:
        """Send the transcript once more, as new messages."""
        if not has_text(transcript):
            await self._send_copy_part(note, self.reply(note, _nothing_said(transcript)))
            return
        reply = _render_reply(transcript)
        for text in reply.messages:
            await self._send_copy_part(note, self.reply(note, text, mode=ParseMode.HTML))
        if reply.needs_document:
            await self._send_copy_part(note, self._document(note, transcript))

    async def reply(
        self, note: Note, text: str, *, keyboard: InlineKeyboardMarkup | None = None, mode: ParseMode | None = None
    ) -> Message:
        """Send `text` as a reply to the voice note."""

        async def send(thread_id: int | None) -> Message:
            return await self.bot.send_message(
                note.answer_chat_id,
                text,
                message_thread_id=thread_id,
                parse_mode=mode,
                reply_markup=keyboard,
                reply_parameters=in_reply_to(note),
                link_preview_options=_NO_PREVIEW,
            )

        return await send_in_thread(note, send)

    async def record_copies(self, note: Note, message_ids: Iterable[int]) -> None:
        """Record further messages that show the text, so that /delete and replies find the note by them."""
        last = max([_FIRST_COPY, *await self.ledger.text_parts(note.id)])
        for number, message_id in enumerate(message_ids, start=last + 1):
            await self.ledger.add_part(note.id, number, message_id)

    async def delete_messages(self, note: Note) -> None:
        """Delete the bot's messages about this note, also those that are sent meanwhile."""
        await self.lost_messages.remove(note.id)
        erased: set[int] = set()
        while shown := await self._known_messages(note) - erased:
            for message_id in shown:
                await self._delete_or_empty(note.answer_chat_id, message_id)
            erased |= shown

    async def _known_messages(self, note: Note) -> set[int]:
        current = await self.ledger.get(note.id) or note
        return {*filter(None, [current.status_message_id]), *(await self.ledger.text_parts(note.id)).values()}

    async def _delete_or_empty(self, chat_id: int, message_id: int) -> None:
        """Delete a message; replace the text of one that is too old to delete."""
        try:
            await self.bot.delete_message(chat_id, message_id)
        except PERMANENT_REFUSALS:
            with suppress(*PERMANENT_REFUSALS):
                await self.bot.edit_message_text(translate("Deleted."), chat_id=chat_id, message_id=message_id)

    async def _edit(self, note: Note, text: str, keyboard: InlineKeyboardMarkup | None, mode: ParseMode | None) -> bool:
        """Edit the status reply; return False if it no longer exists."""
        try:
            await self.bot.edit_message_text(
                text,
                chat_id=note.answer_chat_id,
                message_id=note.status_message_id,
                parse_mode=mode,
                reply_markup=keyboard,
                link_preview_options=_NO_PREVIEW,
            )
        except TelegramBadRequest as refusal:
            if "message to edit not found" in refusal.message or "MESSAGE_ID_INVALID" in refusal.message:
                return False
            if "message can't be edited" in refusal.message:
                return False
            raise
        return True

    async def _delete_if_possible(self, sent: Message) -> None:
        with suppress(*PERMANENT_REFUSALS):
            await self.bot.delete_message(sent.chat.id, sent.message_id)

    async def _document(self, note: Note, transcript: Transcript) -> Message:
        document = BufferedInputFile(plain_text(transcript, speaker_label).encode(), document_name(note))

        async def send(thread_id: int | None) -> Message:
            return await self.bot.send_document(
                note.answer_chat_id, document, message_thread_id=thread_id, reply_parameters=in_reply_to(note)
            )

        return await send_in_thread(note, send)

    async def _send_part(self, note: Note, number: int, send: Callable[[], Awaitable[Message]]) -> None:
        """Send a part of the text; delete it if the note was deleted or restarted meanwhile."""
        if await self._if_current(note) is None:
            return
        async with self.lost_messages.tracked(note):
            sent = await send()
            is_kept = await self._if_current(note) and await self.ledger.add_part(note.id, number, sent.message_id)
            if not is_kept or not await self._if_current(note):
                await self._delete_if_possible(sent)

    async def _if_current(self, note: Note) -> Note | None:
        """Return the note as it is now; None if it was deleted or is transcribed again."""
        current = await self.ledger.get(note.id)
        return current if current and current.run == note.run else None

    async def _send_copy_part(self, note: Note, sending: Awaitable[Message]) -> None:
        await self.record_copies(note, [(await sending).message_id])


def _nothing_said(transcript: Transcript) -> str:
    silence = translate("No speech found in this recording.")
    return f"{silence}\n\n{missing_audio_text(transcript)}".strip()


def _render_reply(transcript: Transcript) -> Reply:
    return render_reply(
        transcript, speaker_label, translate("The whole text is in the file below."), missing_audio_text(transcript)
    )


def speaker_label(segment: Segment) -> str:
    """Return the label of a segment's speaker or channel in the current language; "" if it has none."""
    if segment.speaker:
        return translate("Speaker {number}", number=segment.speaker) if segment.speaker.isdigit() else segment.speaker
    return "" if segment.channel is None else translate("Channel {number}", number=segment.channel + 1)


def document_name(note: Note) -> str:
    """Return the file name of the text: that of the recording, or one from its date and time."""
    stem = PurePath(note.file_name or "").stem
    safe = "".join(character for character in stem if character.isalnum() or character in " -_.").strip(" .")
    return f"{safe[:60] or f'voice-{_local(note.received_at):%Y-%m-%d-%H%M}'}.txt"


def in_reply_to(note: Note) -> ReplyParameters | None:
    """Return the parameters of a reply to the voice note; None in a migrated group, which does not contain it."""
    if note.moved_to is not None:
        return None
    return ReplyParameters(message_id=note.message_id, allow_sending_without_reply=True)


async def send_in_thread(note: Note, send: Callable[[int | None], Awaitable[Message]]) -> Message:
    """Send into the note's topic; without a topic if that was deleted."""
    thread_id = None if note.moved_to else note.thread_id
    try:
        return await send(thread_id)
    except TelegramBadRequest as refusal:
        if thread_id is None or "message thread not found" not in refusal.message:
            raise
        return await send(None)


@asynccontextmanager
async def catch_permanent_refusals(note: Note) -> AsyncIterator[DeliveryOutcome]:
    """Catch permanent refusals by Telegram inside the block, log them, and put them into the outcome."""
    outcome = DeliveryOutcome()
    try:
        yield outcome
    except PERMANENT_REFUSALS as refusal:
        outcome.refusal = refusal.message
        log.warning("undeliverable", note=note.id, chat=note.chat_id, reason=refusal.message)


def _local(moment: datetime) -> datetime:
    return moment.astimezone()
