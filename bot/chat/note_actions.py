"""Actions on an existing note: cancel, retry, delete."""

from dataclasses import dataclass, replace

import structlog
from aiogram.types import MaybeInaccessibleMessageUnion

from bot.chat import status_message
from bot.chat.delivery import Delivery, catch_permanent_refusals
from bot.chat.intake import Intake
from bot.chat.texts import translate, use_language
from jobs.queue import Queue
from storage.ledger import Ledger
from storage.note import Note, State

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class NoteActions:
    """Cancels, retries and deletes notes: first in the ledger, so that the worker which holds the note notices."""

    delivery: Delivery
    ledger: Ledger
    queue: Queue
    intake: Intake

    async def cancel(self, note: Note) -> bool:
        """Cancel the note; return False if it has ended already."""
        if not await self.ledger.cancel(note.id):
            return False
        with use_language(note.locale):
            async with catch_permanent_refusals(note) as outcome:
                await self.delivery.show_status(note, translate("Cancelled."), status_message.retry_button(note.id))
        await self.delivery.record_outcome(note, outcome)
        await self._leave_queue(note)
        return True

    async def retry(self, note: Note, language: str | None) -> bool:
        """Transcribe the note again; return False if it has not ended yet.

        An error message becomes the new status reply; a transcript stays, and the new one is sent below.
        """
        if not note.state.is_final:
            return False
        earlier = await self.ledger.text_parts(note.id)
        again = await self.ledger.retry(note.id, language=language)
        if again.run == note.run:
            return False
        if note.status_message_id and note.state is not State.DONE:
            await self.ledger.set_status_message(note.id, note.status_message_id, instead_of=None)
            again = replace(again, status_message_id=note.status_message_id)
        elif note.status_message_id:
            earlier = {0: note.status_message_id, **earlier}
        await self.delivery.record_copies(again, earlier.values())
        await self.intake.enqueue(again)
        return True

    async def delete(self, note: Note) -> None:
        """Delete the note with its transcript, its artefacts, and the bot's messages about it."""
        await self.ledger.cancel(note.id)
        await self._leave_queue(note)
        latest = await self.ledger.get(note.id) or note
        async with catch_permanent_refusals(note):
            await self.delivery.delete_messages(latest)
        await self.ledger.delete(note.id)

    async def remove_leftover(self, message: MaybeInaccessibleMessageUnion | None, note_id: str) -> None:
        """Delete the message with a button of a note if the ledger does not know it as one of that note's messages."""
        if message is not None:
            await self.delivery.remove_leftover(message.chat.id, message.message_id, note_id)

    async def _leave_queue(self, note: Note) -> None:
        try:
            await self.queue.remove(note.id)
        except Exception as error:  # noqa: BLE001 - a job whose note has ended does nothing when it comes up
            log.warning("not_taken_from_queue", note=note.id, error=type(error).__name__)
