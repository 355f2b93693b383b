"""The status reply: what it says while a note waits and runs, its buttons, and how often it may change."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from aiogram.filters.callback_data import CallbackData
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup

from bot.chat.texts import duration_text, fault_text, translate
from engine import fault_type
from storage.note import Failure

PRIVATE_INTERVAL_S = 3.0
GROUP_INTERVAL_S = 6.0  # a group bears 20 messages and edits a minute, and the texts come first
_CHATS_KEPT = 1000


class NoteButton(CallbackData, prefix="n"):
    """A button that does something with one note."""

    action: str
    note_id: str


CANCEL, RETRY, OPEN, DELETE, KEEP = "cancel", "retry", "open", "delete", "keep"


def queued_text(position: int, wait_s: float) -> str:
    """Say where in the queue a note is; position 0 means: it runs."""
    if position < 1:
        return translate("In the queue.")
    return translate("In the queue, place {position}, about {wait}", position=position, wait=duration_text(wait_s))


def queue_unreachable_text() -> str:
    """Say that a note is safe though the queue cannot take it now."""
    return translate(
        "In the queue. The queue does not answer at the moment; your recording is safe, and its text will come here."
    )


def progress_text(fraction: float) -> str:
    """Say how far it is."""
    return translate("Transcribing… {percent} %", percent=min(99, int(100 * fraction)))


def failure_message(note_id: str, failure: Failure) -> tuple[str, InlineKeyboardMarkup | None]:
    """Say what went wrong, and offer to try again where that can help."""
    button = None if fault_type(failure.code).is_permanent else retry_button(note_id)
    return fault_text(failure.code, failure.params), button


def cancel_button(note_id: str) -> InlineKeyboardMarkup:
    """Offer to stop."""
    return buttons([(translate("Cancel"), NoteButton(action=CANCEL, note_id=note_id))])


def retry_button(note_id: str) -> InlineKeyboardMarkup:
    """Offer to try again."""
    return buttons([(translate("Retry"), NoteButton(action=RETRY, note_id=note_id))])


def buttons(*rows: list[tuple[str, CallbackData]]) -> InlineKeyboardMarkup:
    """Make a keyboard of these rows; empty ones are left out."""
    keyboard = [[InlineKeyboardButton(text=text, callback_data=to.pack()) for text, to in row] for row in rows if row]
    return InlineKeyboardMarkup(inline_keyboard=keyboard)


@dataclass(slots=True)
class EditThrottle:
    """Tells when a status reply may change again: seldom enough for its chat, and only when it would differ."""

    clock: Callable[[], float] = time.monotonic
    _last: dict[int, tuple[float, str]] = field(default_factory=dict)

    def is_due(self, chat_id: int, text: str) -> bool:
        """Tell whether to show `text` now; if so, the time is noted."""
        now = self.clock()
        shown_at, shown = self._last.get(chat_id, (float("-inf"), ""))
        interval_s = GROUP_INTERVAL_S if chat_id < 0 else PRIVATE_INTERVAL_S
        if text == shown or now - shown_at < interval_s:
            return False
        if len(self._last) >= _CHATS_KEPT:
            self._last.clear()
        self._last[chat_id] = now, text
        return True
