"""Actions on an existing note: cancel, retry, delete."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import structlog
from aiogram.types import MaybeInaccessibleMessageUnion

from bot.chat import status_message
from bot.chat.delivery import Delivery, catch_permanent_refusals
from bot.chat.intake import ChatIntake
from bot.chat.texts import translate, use_language
from engine import Param
from jobs.queue import Queue
from storage.note import State
from storage.telegram.ledger import TelegramLedger
from storage.telegram.message import TelegramNote

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class NoteActions:
    """Cancels, retries and deletes notes: first in the ledger, so that the worker which holds the note notices."""

    delivery: Delivery
    ledger: TelegramLedger
    queue: Queue
    intake: ChatIntake

    async def cancel(self, note: TelegramNote) -> bool:
        """Cancel the note; return False if it has ended already."""
        if not await self.ledger.cancel(note.id):
            return False
        with use_language(note.locale):
            async with catch_permanent_refusals(note) as outcome:
                await self.delivery.show_status(note, translate("Cancelled."), status_message.retry_button(note.id))
        await self.delivery.record_outcome(note, outcome)
        await self._leave_queue(note)
        return True

    async def retry(self, note: TelegramNote, request: Mapping[str, Param]) -> bool:
        """Transcribe the note again, as `request` asks; return False if it has not ended yet.

        An error message becomes the new status reply; a transcript stays, and the new one is sent below.
        """
        if not note.state.is_final:
            return False
        earlier = await self.ledger.text_parts(note.id)
        retried = await self.ledger.retry(note.id, request)
        if retried.run == note.run:
            return False
        again = replace(note.updated(retried), status_message_id=None)
        if note.status_message_id and note.state is not State.DONE:
            await self.ledger.set_status_message(note.id, note.status_message_id, instead_of=None)
            again = replace(again, status_message_id=note.status_message_id)
        elif note.status_message_id:
            earlier = {0: note.status_message_id, **earlier}
        await self.delivery.record_copies(again, earlier.values())
        await self.intake.enqueue(again)
        return True

    async def delete(self, note: TelegramNote) -> None:
        """Delete the note with its transcript, its artefacts, and the bot's messages about it."""
        await self.ledger.cancel(note.id)
        await self._leave_queue(note)
        latest = await self.ledger.telegram_note(note.id) or note
        async with catch_permanent_refusals(note):
            await self.delivery.delete_messages(latest)
        await self.ledger.delete(note.id)

    async def remove_leftover(self, message: MaybeInaccessibleMessageUnion | None, note_id: str) -> None:
        """Delete the message with a button of a note if the ledger does not know it as one of that note's messages."""
        if message is not None:
            await self.delivery.remove_leftover(message.chat.id, message.message_id, note_id)

    async def _leave_queue(self, note: TelegramNote) -> None:
        try:
            await self.queue.remove(note.id)
        except Exception as error:  # noqa: BLE001 - a job whose note has ended does nothing when it comes up
            log.warning("not_taken_from_queue", note=note.id, error=type(error).__name__)
