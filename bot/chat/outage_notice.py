"""Tells the sender once that the database is unavailable; that message later becomes the note's status reply."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog
from aiogram import Bot
from aiogram.exceptions import AiogramError
from aiogram.types import ReplyParameters

from bot.chat.notice_store import NoticeStore
from bot.chat.texts import translate, use_language
from bot.telegram.request_policy import total_timeout
from storage.telegram.message import TelegramMessage

TELL_AFTER_S = 3.0
_SEND_TIMEOUT_S = 5.0

log = structlog.get_logger(__name__)

MessageKey = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class OutageNotice:
    """The outage notices sent so far, by message of the sender; also kept in Redis."""

    bot: Bot
    notices: NoticeStore  # for whoever goes on when this process dies meanwhile
    _told: dict[MessageKey, asyncio.Task[int | None]] = field(default_factory=dict)

    @contextmanager
    def notify_if_slow(self, incoming: TelegramMessage) -> Iterator[None]:
        """Send a notice if the block lasts longer than `TELL_AFTER_S`; not again when the update is redelivered."""
        timer = asyncio.get_running_loop().call_later(TELL_AFTER_S, self._begin_to_tell, incoming)
        try:
            yield
        finally:
            timer.cancel()

    async def message_id_of(self, incoming: TelegramMessage) -> int | None:
        """Return the id of the notice about a note; None if there was none."""
        telling = self._told.get(incoming.key)
        told = None if telling is None else await telling
        return told or await self.notices.get(_name(incoming))

    async def forget(self, incoming: TelegramMessage) -> None:
        """Forget the notice: it is the note's status reply now."""
        self._told.pop(incoming.key, None)
        await self.notices.forget(_name(incoming))

    def _begin_to_tell(self, incoming: TelegramMessage) -> None:
        if incoming.key not in self._told:
            self._told[incoming.key] = asyncio.create_task(self._tell(incoming))

    async def _tell(self, incoming: TelegramMessage) -> int | None:
        if told := await self.notices.get(_name(incoming)):
            return told
        message_id = await self._send(incoming)
        if message_id is not None:
            await self.notices.keep(_name(incoming), message_id)
        return message_id

    async def _send(self, incoming: TelegramMessage) -> int | None:
        try:
            with use_language(incoming.locale), total_timeout(_SEND_TIMEOUT_S):
                sent = await self.bot.send_message(
                    incoming.chat_id,
                    translate(
                        "Your recording cannot be taken in at the moment. It is not lost: it will be taken in by "
                        "itself, and its text will come here."
                    ),
                    message_thread_id=incoming.thread_id,
                    reply_parameters=ReplyParameters(message_id=incoming.message_id, allow_sending_without_reply=True),
                )
        except (AiogramError, OSError) as error:
            log.warning("delay_not_told", chat=incoming.chat_id, error=type(error).__name__)
            return None
        return sent.message_id


def _name(incoming: TelegramMessage) -> str:
    return ":".join(str(part) for part in incoming.key if part != "")
