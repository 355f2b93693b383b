"""Takes in a voice note: records it in the ledger, sends the status reply, and enqueues it.

Only the recording happens before the update is acknowledged. If the rest is cut short, `jobs.reaper` makes up for it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

import structlog
from aiogram.exceptions import AiogramError

from bot.chat import status_message
from bot.chat.background_tasks import BackgroundTasks
from bot.chat.delivery import Delivery, catch_permanent_refusals
from bot.chat.outage_notice import OutageNotice
from bot.chat.size_limits import SizeLimits
from bot.chat.texts import use_language
from bot.telegram.request_policy import low_priority_once, total_timeout
from jobs.errors import QueueUnreachable
from jobs.estimate import estimate_wait
from jobs.intake import Intake
from jobs.leases import LeaseLost, Leases
from jobs.queue import Queue
from jobs.resilience import retry_until_written
from storage.errors import DatabaseFault
from storage.note import Failure, Note, State
from storage.telegram.ledger import TelegramLedger
from storage.telegram.message import IncomingMessage, TelegramNote, storable

_ANSWERED_WITHIN_S = 20.0
_ESTIMATE_TIMEOUT_S = 2.0
_STATUS_TIMEOUT_S = 2.0  # what stands in the queue must be true when it is shown

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatIntake:
    """Takes in voice notes from the chat."""

    delivery: Delivery
    ledger: TelegramLedger
    leases: Leases
    queue: Queue
    background: BackgroundTasks
    outage_notice: OutageNotice
    intake: Intake
    limits: SizeLimits

    async def accept(self, incoming: IncomingMessage) -> None:
        """Record the note; if it is new, answer and enqueue it in the background.

        Raises:
            TimeoutError: the database did not work for as long as Telegram waits.
            ValueNotStorable: no database can hold the note's ids.
        """
        incoming = storable(incoming)
        with self.outage_notice.notify_if_slow(incoming):
            taken = await self.intake.submit(incoming.to_note(), incoming.to_row())
        if taken.is_new:
            self.background.spawn(self._welcome(incoming.as_note(taken.note), taken.same_audio))
        else:
            self.background.spawn(self._accept_again(taken.note))

    async def resume(self, before: datetime) -> None:
        """Answer and enqueue the notes recorded before this moment that have no status reply yet."""
        for note in await retry_until_written(lambda: self.ledger.without_status_message(self.delivery.bot.id, before)):
            await self._welcome_late(note)

    async def _accept_again(self, known: Note) -> None:
        """Answer a redelivered note if it was recorded after its first handler had timed out."""
        note = await retry_until_written(lambda: self.ledger.telegram_note(known.id))
        if note is None:
            return
        if note.state is State.QUEUED and note.status_message_id is None:
            age = await retry_until_written(self.ledger.current_time) - note.received_at
            if age.total_seconds() > _ANSWERED_WITHIN_S:
                await self._welcome_late(note)
                return
        await self._adopt_outage_notice(note)

    async def _welcome_late(self, note: TelegramNote) -> None:
        """Answer and enqueue a note that was recorded some time ago, unless somebody else does or has."""
        current = await retry_until_written(lambda: self.ledger.telegram_note(note.id))
        if current and current.state is State.QUEUED and current.status_message_id is None:
            same_audio = await retry_until_written(lambda: self.intake.find_same_audio(note))
            await self._welcome(current, same_audio)

    async def _welcome(self, note: TelegramNote, same_audio: Note | None) -> None:
        """Answer a note with the text of its `same_audio`, or with an error above a limit; else enqueue it."""
        try:
            note = await self._adopt_outage_notice(note)
            if not await self._answer_from_ledger(note, same_audio) and not await self._reject_oversized(note):
                await self.enqueue(note)
        except (DatabaseFault, AiogramError) as error:  # the reaper queues the note, and its worker sends the reply
            log.warning("not_welcomed", note=note.id, error=type(error).__name__)

    async def _adopt_outage_notice(self, note: TelegramNote) -> TelegramNote:
        """Make the outage notice, if one was sent, the note's status reply. Returns the note as it is then."""
        message_id = await self.outage_notice.message_id_of(note)
        if message_id is None:
            return note
        if not await retry_until_written(lambda: self.ledger.set_status_message(note.id, message_id, instead_of=None)):
            with suppress(AiogramError):
                await self.delivery.bot.delete_message(note.answer_chat_id, message_id)
        await self.outage_notice.forget(note)
        return await retry_until_written(lambda: self.ledger.telegram_note(note.id)) or note

    async def enqueue(self, note: TelegramNote) -> None:
        """Show the place in the queue, then enqueue: the worker finds a status reply to edit."""
        with use_language(note.locale):
            place = await self._queue_text(note)
            await self._show_status(note, place)
            if await self.queue.enqueue(note) or place == status_message.queue_unreachable_text():
                return
            if current := await self.ledger.telegram_note(note.id):
                await self._show_status(current, status_message.queue_unreachable_text())

    async def _queue_text(self, note: TelegramNote) -> str:
        try:
            async with asyncio.timeout(_ESTIMATE_TIMEOUT_S):
                seen = await estimate_wait(await self.intake.speed.speed(), self.queue, note)
        except (TimeoutError, QueueUnreachable):
            return status_message.queue_unreachable_text()
        return status_message.queued_text(seen.position, seen.wait_s)

    async def _show_status(self, note: TelegramNote, place: str) -> None:
        try:
            async with catch_permanent_refusals(note):
                with _policy_for(note.answer_chat_id):
                    await self.delivery.show_queued(note, place, status_message.cancel_button(note.id))
        except (AiogramError, DatabaseFault) as error:
            log.warning("status_reply_failed", note=note.id, error=type(error).__name__)

    async def _answer_from_ledger(self, note: TelegramNote, same_audio: Note | None) -> bool:
        transcript = await self.ledger.transcript(same_audio.id) if same_audio else None
        if same_audio is None or transcript is None:
            return False
        since = monotonic()
        claimed = await self.ledger.claim(note.id, "bot", options=self.intake.options_of(note))
        if claimed is None:
            return True
        digest = same_audio.digest or ""
        if ended := await self.ledger.finish(note.id, claimed.fence, transcript, engine_s=0.0, digest=digest):
            mine = note.updated(ended)
            await self._tell_and_record(mine, since, lambda: self.delivery.deliver(mine, transcript))
        return True

    async def _reject_oversized(self, note: TelegramNote) -> bool:
        fault = self.limits.exceeded_by(note)
        if fault is None:
            return False
        since = monotonic()
        claimed = await self.ledger.claim(note.id, "bot", options=self.intake.options_of(note))
        failure = Failure.of(fault)
        if claimed and await self.ledger.fail(note.id, claimed.fence, failure):
            mine = note.updated(claimed)
            with use_language(note.locale):
                told = status_message.failure_message(note.id, failure)
                await self._tell_and_record(mine, since, lambda: self.delivery.show_status(mine, *told))
        return True

    async def _tell_and_record(self, mine: TelegramNote, since: float, tell: Callable[[], Awaitable[None]]) -> None:
        """Tell the chat while the note's lease is renewed, as Telegram may be slow; record the outcome.

        Without a lease that is certain, the workers deliver it.
        """
        with suppress(LeaseLost):
            async with self.leases.hold(mine, since) as lease, catch_permanent_refusals(mine) as outcome:
                await lease.while_certain(tell)
            await self.delivery.record_outcome(mine, outcome, mine.fence)


def _policy_for(chat_id: int) -> AbstractContextManager[None]:
    """Choose the request policy of status replies: low priority in groups, whose rate limit is kept for transcripts."""
    return low_priority_once() if chat_id < 0 else total_timeout(_STATUS_TIMEOUT_S)
