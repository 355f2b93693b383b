"""Shows “typing…” in the chats whose recordings are being transcribed."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from aiogram import Bot
from aiogram.enums import ChatAction
from aiogram.exceptions import AiogramError

from bot.chat.background_tasks import BackgroundTasks
from bot.telegram.request_policy import low_priority_once
from storage.telegram.message import TelegramNote

INTERVAL_S = 4.5  # Telegram shows it for 5 s (https://core.telegram.org/bots/api#sendchataction)
_PLACES_KEPT = 1000


@dataclass(frozen=True, slots=True)
class TypingIndicator:
    """Tells each chat and topic at most once in `INTERVAL_S`."""

    bot: Bot
    clock: Callable[[], float] = time.monotonic
    _shown_at: dict[tuple[int, int | None], float] = field(default_factory=dict)
    _tasks: BackgroundTasks = field(default_factory=BackgroundTasks)

    def show(self, note: TelegramNote) -> None:
        """Show it in the note's chat, in the background; a chat where that fails goes without."""
        place = note.answer_chat_id, None if note.moved_to else note.thread_id
        now = self.clock()
        if now - self._shown_at.get(place, float("-inf")) < INTERVAL_S:
            return
        if len(self._shown_at) >= _PLACES_KEPT:
            self._shown_at.clear()
        self._shown_at[place] = now
        self._tasks.spawn(self._send(*place))

    async def _send(self, chat_id: int, thread_id: int | None) -> None:
        try:
            with low_priority_once():
                await self.bot.send_chat_action(chat_id, ChatAction.TYPING, message_thread_id=thread_id)
        except (AiogramError, OSError):
            return
