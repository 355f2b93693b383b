"""/history: lists the recordings of a chat page by page; a button sends an entry's text."""

from aiogram import Bot, F, Router
from aiogram.filters import Command, CommandObject
from aiogram.filters.callback_data import CallbackData
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message

from bot.chat.delivery import Delivery
from bot.chat.handlers.note_lookup import NoteLookup
from bot.chat.handlers.respond import answer, change, respond
from bot.chat.status_message import OPEN, NoteButton, buttons
from bot.chat.texts import date_time_text, duration_text, translate
from storage.note import State
from storage.telegram.ledger import TelegramLedger
from storage.telegram.message import TelegramNote
from storage.telegram.notes import Page

PAGE_SIZE = 10
_ROW = 5
_PREVIEW = 60


def router() -> Router:
    """Return the router of /history."""
    own = Router(name="history")
    own.message.register(show_history, Command("history"))
    own.callback_query.register(turn_page, PageButton.filter())
    own.callback_query.register(open_entry, NoteButton.filter(F.action == OPEN))
    return own


class PageButton(CallbackData, prefix="h"):
    """Callback data of a button that opens a page of the history."""

    page: int


async def show_history(message: Message, command: CommandObject, bot: Bot, ledger: TelegramLedger) -> None:
    """Send a page: the first, or the one given as an argument."""
    asked = command.args or ""
    number = int(asked[:9]) - 1 if asked.isascii() and asked.isdigit() else 0
    page = await ledger.page(bot.id, message.chat.id, number, PAGE_SIZE)
    await respond(message, page_text(page), page_buttons(page))


async def turn_page(press: CallbackQuery, callback_data: PageButton, bot: Bot, ledger: TelegramLedger) -> None:
    """Show another page in the same message."""
    if press.message:
        page = await ledger.page(bot.id, press.message.chat.id, callback_data.page, PAGE_SIZE)
        await change(press, page_text(page), page_buttons(page))
    await answer(press)


async def open_entry(
    press: CallbackQuery, callback_data: NoteButton, lookup: NoteLookup, ledger: TelegramLedger, delivery: Delivery
) -> None:
    """Send the text of an entry as a new message."""
    note = await lookup.for_button(press, callback_data.note_id)
    if note is None:
        return
    transcript = await ledger.transcript(note.id)
    if transcript is None or not note.state.is_final:
        await answer(press, state_of(note), show_alert=True)
        return
    await answer(press)
    await delivery.send_copy(note, transcript)


def page_text(page: Page) -> str:
    """Return the text of a page."""
    if not page.total:
        return translate("There is no recording in this chat yet. Send me a voice note.")
    first = page.page * PAGE_SIZE + 1
    title = translate("Recordings in this chat, page {page} of {pages}", page=page.page + 1, pages=page.pages)
    return "\n".join([title, "", *(_entry(number, note) for number, note in enumerate(page.notes, start=first))])


def page_buttons(page: Page) -> InlineKeyboardMarkup | None:
    """Return the buttons for each entry and for the next pages; None without entries."""
    if not page.total:
        return None
    first = page.page * PAGE_SIZE + 1
    entries: list[tuple[str, CallbackData]] = [
        (str(number), NoteButton(action=OPEN, note_id=note.id)) for number, note in enumerate(page.notes, start=first)
    ]
    turns: list[tuple[str, CallbackData]] = []
    if page.page > 0:
        turns.append((translate("‹ newer"), PageButton(page=page.page - 1)))  # noqa: RUF001 - an arrow, as buttons have it
    if page.page < page.pages - 1:
        turns.append((translate("older ›"), PageButton(page=page.page + 1)))  # noqa: RUF001 - an arrow, as buttons have it
    return buttons(entries[:_ROW], entries[_ROW:], turns)


def state_of(note: TelegramNote) -> str:
    """Return the text for a note's state."""
    return {
        State.QUEUED: translate("in the queue"),
        State.PROCESSING: translate("being transcribed"),
        State.DONE: translate("no speech"),
        State.FAILED: translate("failed"),
        State.CANCELLED: translate("cancelled"),
    }[note.state]


def _entry(number: int, note: TelegramNote) -> str:
    seconds = note.audio_s or note.claimed_s
    length = f" · {duration_text(seconds)}" if seconds else ""
    return f"{number}. {date_time_text(note.received_at)}{length} · {preview_of(note)}"


def preview_of(note: TelegramNote) -> str:
    """Return the beginning of a note's text, or its state."""
    words = " ".join(note.preview.split())
    if not note.state.is_final or not words:
        return state_of(note)
    return words if len(words) <= _PREVIEW else f"{words[:_PREVIEW].rstrip()}…"
