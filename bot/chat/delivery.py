"""Delivers a note's answer: status reply, further parts, a document. Records each message id in the ledger.

Telegram cannot send a message exactly once, but it can edit one any number of times. So a text is never in a new
message: a placeholder is sent first, and edited once its id is recorded. What a crash can leave is a placeholder.

Permanent refusals (the chat is gone, the bot was blocked) are logged and recorded; nothing is tried again.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import PurePath

import structlog
from aiogram import Bot
from aiogram.enums import ParseMode
from aiogram.exceptions import (
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNotFound,
)
from aiogram.types import (
    BufferedInputFile,
    InlineKeyboardMarkup,
    LinkPreviewOptions,
    Message,
    ReplyParameters,
)

from bot.chat import status_message
from bot.chat.layout import Reply, has_text, plain_text, render_reply, without_markup
from bot.chat.texts import missing_audio_text, translate, use_language
from engine import Segment, Transcript
from jobs.note_log import log_outcome
from storage.note import Note
from storage.telegram.ledger import TelegramLedger
from storage.telegram.message import TelegramNote
from storage.uninterruptible import run_to_end

PERMANENT_REFUSALS = (TelegramForbiddenError, TelegramBadRequest, TelegramMigrateToChat, TelegramNotFound)
PLACEHOLDER = "…"
_GONE = ("message to edit not found", "MESSAGE_ID_INVALID", "message can't be edited")
_STATUS_ATTEMPTS = 3
_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)
_LONG_WAIT = timedelta(seconds=20)  # whoever waited longer looks elsewhere by now
_NOTIFYING = 999  # the part that is the status reply sent anew; a note has far fewer parts of text
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
    ledger: TelegramLedger

    async def record_outcome(self, note: TelegramNote, outcome: DeliveryOutcome, fence: int | None = None) -> None:
        """Record in the ledger whether the chat was told, and log the note's canonical line."""
        if outcome.refusal is None:
            settled = await self.ledger.mark_delivered(note.id, fence, run=note.run)
        else:
            settled = await self.ledger.mark_undeliverable(note.id, outcome.refusal, fence, run=note.run)
        if ended := settled or await self.ledger.get(note.id):
            log_outcome(ended)

    async def show_status(self, note: TelegramNote, text: str, keyboard: InlineKeyboardMarkup | None = None) -> None:
        """Set the text of the note's status reply; send one if there is none, or if it was deleted."""
        if current := await self.ledger.telegram_note(note.id):
            await self._in_current_chat(current, lambda note: self._show_status(note, text, keyboard))

    async def show_queued(self, note: TelegramNote, text: str, keyboard: InlineKeyboardMarkup) -> None:
        """Show the note's place in the queue, unless it has ended or another process has sent a status reply.

        `note` was just read from the ledger, or nobody else knows of it yet.
        """
        await self._in_current_chat(note, lambda note: self._show_queued(note, text, keyboard))

    async def deliver(self, note: Note, transcript: Transcript) -> None:
        """Show the transcript in the status reply, in further parts, or as a document. Sends no part twice.

        It stops when the note is deleted, is transcribed again, or another worker delivers it.
        """

        async def tell(latest: TelegramNote) -> None:
            if _is_same_claim(note, latest):
                await self._deliver(latest, transcript)

        if current := await self.ledger.telegram_note(note.id):
            with use_language(current.locale):
                await self._in_current_chat(current, tell)

    async def show_failure(self, note: TelegramNote, text: str, keyboard: InlineKeyboardMarkup | None) -> None:
        """Show why a note has no text."""
        await self._in_current_chat(note, lambda note: self._show_outcome(note, PLACEHOLDER, text, keyboard))

    async def _in_current_chat(self, note: TelegramNote, tell: Callable[[TelegramNote], Awaitable[None]]) -> None:
        """Run `tell`; if the note's group migrated, record that and run it again for the supergroup."""
        try:
            await tell(note)
        except TelegramMigrateToChat as moved:
            latest = await self.ledger.telegram_note(note.id) or note
            await self.ledger.migrate_chat(note.bot_id, latest.answer_chat_id, moved.migrate_to_chat_id)
            if moved_note := await self.ledger.telegram_note(note.id):
                await tell(moved_note)

    async def _show_status(
        self, note: TelegramNote, text: str, keyboard: InlineKeyboardMarkup | None = None, mode: ParseMode | None = None
    ) -> None:
        """Edit the status reply that `note` has; whenever there is none any more, send one and look again."""
        current: TelegramNote | None = note
        for attempt in range(_STATUS_ATTEMPTS):
            if current is None:
                return
            if message_id := current.status_message_id:
                try:
                    await self._edit(current, message_id, text, keyboard, mode)
                except TelegramBadRequest as refusal:
                    if not _is_gone(refusal) or attempt + 1 == _STATUS_ATTEMPTS:
                        raise
                else:
                    return
            await self._send_status(current, PLACEHOLDER, status_message.cancel_button(note.id))
            current = await self.ledger.telegram_note(note.id)

    async def _show_queued(self, note: TelegramNote, text: str, keyboard: InlineKeyboardMarkup) -> None:
        if note.status_message_id is None:
            await self._send_status(note, text, keyboard)
            return
        current = await self.ledger.telegram_note(note.id)
        if current and not current.state.is_final:
            await self._show_status(current, text, keyboard)

    async def _send_status(self, note: TelegramNote, text: str, keyboard: InlineKeyboardMarkup) -> None:
        """Send a status reply, unless another process is quicker."""
        await self._send_and_record(
            partial(self.reply, note, text, keyboard=keyboard),
            lambda sent: self.ledger.set_status_message(note.id, sent, instead_of=note.status_message_id),
        )

    async def _send_and_record(
        self, send: Callable[[], Awaitable[Message]], record: Callable[[int], Awaitable[bool]]
    ) -> int | None:
        """Send a message and return its id once it is recorded; None: it was not to be recorded, and is taken back.

        A cancellation waits for that: it must not come between the sending and the recording.
        """

        @run_to_end
        async def send_and_record() -> int | None:
            sent = await send()
            try:
                is_recorded = await record(sent.message_id)
            except Exception:
                await self._delete_if_possible(sent.chat.id, sent.message_id)
                raise
            if not is_recorded:
                await self._delete_if_possible(sent.chat.id, sent.message_id)
            return sent.message_id if is_recorded else None

        return await send_and_record()

    async def _deliver(self, note: TelegramNote, transcript: Transcript) -> None:
        if not has_text(transcript):
            await self._show_outcome(note, PLACEHOLDER, _nothing_said(transcript))
            return
        reply = _render_reply(transcript)
        first, *rest = reply.messages
        if not rest and not reply.needs_document:
            await self._show_outcome(note, translate("Your text is ready."), first, mode=ParseMode.HTML)
            return
        await self._show_status(note, first, mode=ParseMode.HTML)
        known = await self.ledger.text_parts(note.id)
        for number, text in enumerate(rest, start=1):
            await self._show_part(note, number, text, known.get(number))
        if reply.needs_document:
            send = partial(self._document, note, transcript, notifies=_has_waited_long(note))
            await self._part(note, 1, send, known.get(1))

    async def _show_outcome(
        self,
        note: TelegramNote,
        announced: str,
        text: str,
        keyboard: InlineKeyboardMarkup | None = None,
        mode: ParseMode | None = None,
    ) -> None:
        """Show a whole answer in the status reply. After a long wait that is sent anew, as `announced`, to notify."""
        latest = await self._send_status_anew(note, announced) if _has_waited_long(note) else note
        if latest:
            await self._show_status(latest, text, keyboard, mode)

    async def _send_status_anew(self, note: TelegramNote, text: str) -> TelegramNote | None:
        """Replace the status reply by a new message that notifies; None if the note was deleted, or is another's now.

        The message is recorded as a part first: whoever delivers after a crash goes on with it and sends no other.
        """
        known = await self.ledger.text_parts(note.id)
        send = partial(self.reply, note, text, keyboard=status_message.cancel_button(note.id), notifies=True)
        message_id = await self._part(note, _NOTIFYING, send, known.get(_NOTIFYING))
        if message_id is None:
            return None
        former = note.status_message_id
        if former != message_id:
            is_replaced = await self.ledger.set_status_message(note.id, message_id, instead_of=former)
            if is_replaced and former:
                await self._delete_if_possible(note.answer_chat_id, former)
        return await self.ledger.telegram_note(note.id)

    async def _show_part(self, note: TelegramNote, number: int, text: str, known: int | None) -> None:
        """Show a part of the text in a message of its own. One that its reader deleted does not come back."""
        notifies = number == 1 and _has_waited_long(note)
        send = partial(self.reply, note, PLACEHOLDER, keyboard=status_message.cancel_button(note.id), notifies=notifies)
        message_id = await self._part(note, number, send, known)
        if message_id is not None:
            try:
                await self._edit(note, message_id, text, None, ParseMode.HTML)
            except TelegramBadRequest as refusal:
                if not _is_gone(refusal):
                    raise

    async def _part(
        self, note: TelegramNote, number: int, send: Callable[[], Awaitable[Message]], known: int | None
    ) -> int | None:
        """Return the id of the message for a part of the text, which is sent if none is known.

        None if the note was deleted or transcribed again, or another worker delivers it.
        """
        if not await self._is_current(note):
            return None
        if known is not None:
            return known
        return await self._send_and_record(
            send, lambda sent: self.ledger.add_part(note.id, number, sent, run=note.run, fence=note.fence)
        )

    async def send_copy(self, note: TelegramNote, transcript: Transcript) -> None:
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
        self,
        note: TelegramNote,
        text: str,
        *,
        keyboard: InlineKeyboardMarkup | None = None,
        mode: ParseMode | None = None,
        notifies: bool = False,
    ) -> Message:
        """Send `text` as a reply to the voice note, without a sound unless it `notifies`."""

        async def send(thread_id: int | None) -> Message:
            return await self.bot.send_message(
                note.answer_chat_id,
                text,
                message_thread_id=thread_id,
                parse_mode=mode,
                disable_notification=not notifies,
                reply_markup=keyboard,
                reply_parameters=in_reply_to(note),
                link_preview_options=_NO_PREVIEW,
            )

        return await send_in_thread(note, send)

    async def record_copies(self, note: TelegramNote, message_ids: Iterable[int]) -> None:
        """Record further messages that show the text, so that /delete and replies find the note by them."""
        last = max([_FIRST_COPY, *await self.ledger.text_parts(note.id)])
        for number, message_id in enumerate(message_ids, start=last + 1):
            await self.ledger.add_part(note.id, number, message_id)

    async def delete_messages(self, note: TelegramNote) -> None:
        """Delete the bot's messages about this note, also those that are sent meanwhile."""
        erased: set[int] = set()
        while shown := await self._known_messages(note) - erased:
            for message_id in shown:
                await self._delete_or_empty(note.answer_chat_id, message_id)
            erased |= shown

    async def _known_messages(self, note: TelegramNote) -> set[int]:
        current = await self.ledger.telegram_note(note.id) or note
        return {*filter(None, [current.status_message_id]), *(await self.ledger.text_parts(note.id)).values()}

    async def _delete_or_empty(self, chat_id: int, message_id: int) -> None:
        """Delete a message; replace the text of one that is too old to delete."""
        try:
            await self.bot.delete_message(chat_id, message_id)
        except PERMANENT_REFUSALS:
            with suppress(*PERMANENT_REFUSALS):
                await self.bot.edit_message_text(translate("Deleted."), chat_id=chat_id, message_id=message_id)

    async def remove_leftover(self, chat_id: int, message_id: int, note_id: str) -> None:
        """Delete a message about a note if the ledger does not know it: its sender died before it recorded it."""
        known = await self.ledger.by_message(self.bot.id, chat_id, message_id)
        if known is None or known.id != note_id:
            log.info("leftover_removed", note=note_id, message=message_id)
            await self._delete_or_empty(chat_id, message_id)

    async def _edit(
        self,
        note: TelegramNote,
        message_id: int,
        text: str,
        keyboard: InlineKeyboardMarkup | None,
        mode: ParseMode | None,
    ) -> None:
        """Edit a message; a text whose markup Telegram does not understand is shown without any."""
        edit = partial(
            self.bot.edit_message_text,
            chat_id=note.answer_chat_id,
            message_id=message_id,
            reply_markup=keyboard,
            link_preview_options=_NO_PREVIEW,
        )
        try:
            await edit(text, parse_mode=mode)
        except TelegramBadRequest as refusal:
            if mode is None or "can't parse entities" not in refusal.message:
                raise
            log.warning("markup_refused", note=note.id, reason=refusal.message)
            await edit(without_markup(text))

    async def _delete_if_possible(self, chat_id: int, message_id: int) -> None:
        with suppress(*PERMANENT_REFUSALS):
            await self.bot.delete_message(chat_id, message_id)

    async def _document(self, note: TelegramNote, transcript: Transcript, *, notifies: bool = False) -> Message:
        document = BufferedInputFile(plain_text(transcript, speaker_label).encode(), document_name(note))

        async def send(thread_id: int | None) -> Message:
            return await self.bot.send_document(
                note.answer_chat_id,
                document,
                message_thread_id=thread_id,
                disable_notification=not notifies,
                reply_parameters=in_reply_to(note),
            )

        return await send_in_thread(note, send)

    async def _is_current(self, note: TelegramNote) -> bool:
        """Return False if the note was deleted, is transcribed again, or is another worker's now."""
        current = await self.ledger.get(note.id)
        return current is not None and _is_same_claim(note, current)

    async def _send_copy_part(self, note: TelegramNote, sending: Awaitable[Message]) -> None:
        await self.record_copies(note, [(await sending).message_id])


def _has_waited_long(note: TelegramNote) -> bool:
    """Tell whether nobody may look at the chat any more; of what was delivered before nobody has to hear again."""
    return note.delivered_at is None and datetime.now(UTC) - note.queued_at > _LONG_WAIT


def _is_same_claim(note: Note, latest: Note) -> bool:
    return (note.run, note.fence) == (latest.run, latest.fence)


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


def document_name(note: TelegramNote) -> str:
    """Return the file name of the text: that of the recording, or one from its date and time."""
    stem = PurePath(note.file_name or "").stem
    safe = "".join(character for character in stem if character.isalnum() or character in " -_.").strip(" .")
    return f"{safe[:60] or f'voice-{_local(note.received_at):%Y-%m-%d-%H%M}'}.txt"


def in_reply_to(note: TelegramNote) -> ReplyParameters | None:
    """Return the parameters of a reply to the voice note; None in a migrated group, which does not contain it."""
    if note.moved_to is not None:
        return None
    return ReplyParameters(message_id=note.message_id, allow_sending_without_reply=True)


async def send_in_thread(note: TelegramNote, send: Callable[[int | None], Awaitable[Message]]) -> Message:
    """Send into the note's topic; without a topic if that was deleted."""
    thread_id = None if note.moved_to else note.thread_id
    try:
        return await send(thread_id)
    except TelegramBadRequest as refusal:
        if thread_id is None or "message thread not found" not in refusal.message:
            raise
        return await send(None)


@asynccontextmanager
async def catch_permanent_refusals(note: TelegramNote) -> AsyncIterator[DeliveryOutcome]:
    """Catch permanent refusals by Telegram inside the block, log them, and put them into the outcome."""
    outcome = DeliveryOutcome()
    try:
        yield outcome
    except PERMANENT_REFUSALS as refusal:
        outcome.refusal = refusal.message
        log.warning("undeliverable", note=note.id, chat=note.chat_id, reason=refusal.message)


def _is_gone(refusal: TelegramBadRequest) -> bool:
    """Tell whether a message cannot be edited because it is not there any more."""
    return any(words in refusal.message for words in _GONE)


def _local(moment: datetime) -> datetime:
    return moment.astimezone()
