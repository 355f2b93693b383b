"""Texts and buttons of the status reply, and how often it may be edited."""

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
    """Callback data of a button that acts on one note."""

    action: str
    note_id: str


CANCEL, RETRY, OPEN, DELETE, KEEP = "cancel", "retry", "open", "delete", "keep"


def queued_text(position: int, wait_s: float) -> str:
    """Return the text for a place in the queue; at position 0 the note is next or runs."""
    if position < 1:
        return translate("In the queue.")
    return translate("In the queue, place {position}, about {wait}", position=position, wait=duration_text(wait_s))


def queue_unreachable_text() -> str:
    """Return the text for a note that is recorded but cannot be enqueued now."""
    return translate(
        "In the queue. The queue does not answer at the moment; your recording is safe, and its text will come here."
    )


def progress_text(fraction: float) -> str:
    """Return the text for a running transcription, with its percentage."""
    return translate("Transcribing… {percent} %", percent=min(99, int(100 * fraction)))


def failure_message(note_id: str, failure: Failure) -> tuple[str, InlineKeyboardMarkup | None]:
    """Return the text of an error, and a Retry button where a retry can help."""
    button = None if fault_type(failure.code).is_permanent else retry_button(note_id)
    return fault_text(failure.code, failure.params), button


def cancel_button(note_id: str) -> InlineKeyboardMarkup:
    """Return a keyboard with the Cancel button."""
    return buttons([(translate("Cancel"), NoteButton(action=CANCEL, note_id=note_id))])


def retry_button(note_id: str) -> InlineKeyboardMarkup:
    """Return a keyboard with the Retry button."""
    return buttons([(translate("Retry"), NoteButton(action=RETRY, note_id=note_id))])


def buttons(*rows: list[tuple[str, CallbackData]]) -> InlineKeyboardMarkup:
    """Return a keyboard of these rows, without the empty ones."""
    keyboard = [[InlineKeyboardButton(text=text, callback_data=to.pack()) for text, to in row] for row in rows if row]
    return InlineKeyboardMarkup(inline_keyboard=keyboard)


@dataclass(slots=True)
class EditThrottle:
    """Limits edits of status replies: at most one per interval in a chat, and only if the text differs."""

    clock: Callable[[], float] = time.monotonic
    _last: dict[int, tuple[float, str]] = field(default_factory=dict)

    def is_due(self, chat_id: int, text: str) -> bool:
        """Tell whether to show `text` now; if so, the time is recorded."""
        now = self.clock()
        shown_at, shown = self._last.get(chat_id, (float("-inf"), ""))
        interval_s = GROUP_INTERVAL_S if chat_id < 0 else PRIVATE_INTERVAL_S
        if text == shown or now - shown_at < interval_s:
            return False
        if len(self._last) >= _CHATS_KEPT:
            self._last.clear()
        self._last[chat_id] = now, text
        return True
