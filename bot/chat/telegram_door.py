"""The Telegram door of a worker: downloads the recording, shows progress, delivers the answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import structlog
from aiogram.exceptions import (
    AiogramError,
    ClientDecodeError,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)

from bot.chat import status_message
from bot.chat.delivery import PERMANENT_REFUSALS, Delivery
from bot.chat.texts import translate, use_language
from bot.chat.typing_indicator import TypingIndicator
from bot.telegram import downloads
from bot.telegram.errors import FileGone
from bot.telegram.request_policy import low_priority_once, total_timeout
from engine import Transcript
from jobs.door import RetryLater, Undeliverable
from storage.errors import DatabaseFault
from storage.note import Failure, Note, State
from storage.telegram.message import TelegramNote, door_of_bot

REQUEST_TIMEOUT_S = 2.0  # a worker has few hands: what takes longer is put back, and others go ahead
_NOTES_KEPT = 1000

log = structlog.get_logger(__name__)


class TelegramDoor:
    """Implements `jobs.door.Door` for Telegram."""

    def __init__(self, delivery: Delivery) -> None:
        """Answer through `delivery`."""
        self._delivery = delivery
        self._throttle = status_message.EditThrottle()
        self._typing = TypingIndicator(delivery.bot)
        self._edits: dict[str, asyncio.Task[None]] = {}
        self._messages: dict[str, TelegramNote] = {}

    @property
    def name(self) -> str:
        """The door of the bot that the token belongs to; Telegram gives a bot's files and messages to nobody else."""
        return door_of_bot(self._delivery.bot.id)

    async def look_up(self, note: Note) -> None:
        """Read the message of the note, to fetch its recording and to show its progress."""
        if len(self._messages) >= _NOTES_KEPT:
            self._messages.clear()
        if message := await self._delivery.ledger.telegram_note(note.id):
            self._messages[note.id] = message

    async def fetch(self, note: Note, folder: Path) -> Path:
        """Download the recording into `folder`."""
        message = self._messages.get(note.id) or await self._delivery.ledger.telegram_note(note.id)
        if message is None:
            raise FileGone
        async with _as_the_worker_knows_it():
            return await downloads.download_file(self._delivery.bot, message.file_id, folder, note.id)

    async def progress(self, note: Note, fraction: float) -> None:
        """Show the progress if the rate limits allow it; returns at once."""
        message = self._messages.get(note.id)
        if message is None:
            return
        self._typing.show(message)
        with use_language(message.locale):
            text = status_message.progress_text(fraction)
            if note.id not in self._edits and self._throttle.is_due(message.chat_id, text):
                self._edits[note.id] = asyncio.create_task(self._show_progress(note, text))

    async def done(self, note: Note, transcript: Transcript) -> None:
        """Deliver the transcript."""
        await self._settle(note)
        async with _as_the_worker_knows_it():
            await self._delivery.deliver(note, transcript)

    async def failed(self, note: Note, failure: Failure) -> None:
        """Show the error."""
        await self._settle(note)
        if note.state is State.CANCELLED and note.delivered_at:
            return  # whoever cancelled it said so, and the edit that could have come later has seen to that
        if current := await self._delivery.ledger.telegram_note(note.id):
            async with _as_the_worker_knows_it():
                await self._show_failure(current, failure)

    async def _show_failure(self, note: TelegramNote, failure: Failure) -> None:
        with use_language(note.locale):
            await self._delivery.show_failure(note, *status_message.failure_message(note.id, failure))

    async def _show_progress(self, note: Note, text: str) -> None:
        """Edit the status reply, unless this worker no longer holds the note."""
        try:
            with suppress(AiogramError, aiohttp.ClientError, OSError, DatabaseFault):
                current = await self._delivery.ledger.telegram_note(note.id)
                if current and current.status_message_id and _is_mine(note, current):
                    with total_timeout(REQUEST_TIMEOUT_S):
                        await self._edit(current, text)
        finally:
            self._edits.pop(note.id, None)

    async def _edit(self, note: TelegramNote, text: str) -> None:
        try:
            with low_priority_once():
                await self._delivery.bot.edit_message_text(
                    text,
                    chat_id=note.answer_chat_id,
                    message_id=note.status_message_id,
                    reply_markup=status_message.cancel_button(note.id),
                )
        finally:
            await self._leave_the_last_word(note)

    async def _leave_the_last_word(self, note: TelegramNote) -> None:
        """Show the note's final state again if it ended meanwhile: the progress edit may have overwritten it."""
        latest = await self._delivery.ledger.telegram_note(note.id)
        if latest is None or latest.run != note.run:
            return
        if latest.state is State.CANCELLED:
            await self._delivery.show_status(latest, translate("Cancelled."), status_message.retry_button(note.id))
        elif latest.delivered_at and latest.error:
            await self._show_failure(latest, latest.error)
        elif latest.delivered_at and (transcript := await self._delivery.ledger.transcript(note.id)):
            await self._delivery.deliver(latest, transcript)

    async def _settle(self, note: Note) -> None:
        """Wait for a progress edit under way, which could otherwise overwrite the final text."""
        self._messages.pop(note.id, None)
        if edit := self._edits.get(note.id):
            with suppress(Exception):
                await edit


def _is_mine(note: Note, current: Note) -> bool:
    return current.state is State.PROCESSING and current.fence == note.fence


@asynccontextmanager
async def _as_the_worker_knows_it() -> AsyncIterator[None]:
    """Translate Telegram's errors into `RetryLater` (temporary) or `Undeliverable` (permanent)."""
    try:
        with total_timeout(REQUEST_TIMEOUT_S):
            yield
    except (TelegramUnauthorizedError, TelegramNotFound) as refusal:
        log.error("token_refused", answer=refusal.message, remedy="check telegram.token; notes wait meanwhile")  # noqa: TRY400 - a traceback says nothing more
        raise RetryLater from refusal
    except TelegramRetryAfter as flood:
        raise RetryLater(flood.retry_after) from flood
    except (TelegramNetworkError, TelegramServerError, ClientDecodeError, downloads.DownloadUnavailable) as trouble:
        raise RetryLater from trouble
    except PERMANENT_REFUSALS as refusal:
        raise Undeliverable(refusal.message) from refusal
