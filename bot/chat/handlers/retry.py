"""/retry and the Retry button: transcribes a note again, optionally in another language."""

from aiogram import F, Router
from aiogram.filters import Command, CommandObject
from aiogram.types import CallbackQuery, Message

from bot.chat.handlers.note_lookup import NoteLookup
from bot.chat.handlers.respond import respond
from bot.chat.note_actions import NoteActions
from bot.chat.status_message import RETRY, NoteButton
from bot.chat.texts import fault_text, translate
from bot.config.settings import Settings
from engine import UnknownLanguage, languages_of

LONGEST_CODE = 16


def router() -> Router:
    """Return the router of /retry."""
    own = Router(name="retry")
    own.message.register(retry, Command("retry"))
    own.callback_query.register(retry_pressed, NoteButton.filter(F.action == RETRY))
    return own


async def retry(
    message: Message, command: CommandObject, lookup: NoteLookup, actions: NoteActions, settings: Settings
) -> None:
    """Transcribe the chosen note again."""
    language = (command.args or "").strip().lower()[:LONGEST_CODE] or None
    known = languages_of(settings.engine.model)
    if language and known and language not in known:  # none known: a model that only the workers have; they refuse
        fault = UnknownLanguage(language=language, known=", ".join(known))
        await respond(message, fault_text(fault.code, fault.params))
        return
    note = await lookup.for_message(message)
    if note and not await actions.retry(note, language):
        await respond(message, _already())


async def retry_pressed(
    press: CallbackQuery, callback_data: NoteButton, lookup: NoteLookup, actions: NoteActions
) -> None:
    """Transcribe the note of the button again, in the same language, and delete a message that was left over."""
    note = await lookup.for_button(press, callback_data.note_id)
    if note:
        started = await actions.retry(note, note.language)
        await press.answer("" if started else _already())
    await actions.remove_leftover(press.message, callback_data.note_id)


def _already() -> str:
    return translate("I am still working on this recording.")
