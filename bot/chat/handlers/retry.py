"""/retry and the Retry button: transcribes a note again, optionally in another language."""

from collections.abc import Mapping

from aiogram import F, Router
from aiogram.filters import Command, CommandObject
from aiogram.types import CallbackQuery, Message

from bot.chat.handlers.language import AUTO, language_code, unknown_language
from bot.chat.handlers.note_lookup import NoteLookup, not_allowed_text
from bot.chat.handlers.respond import answer, respond
from bot.chat.note_actions import NoteActions
from bot.chat.sender import sender_of
from bot.chat.status_message import RETRY, NoteButton
from bot.chat.texts import fault_text, translate
from bot.config.settings import Settings
from engine import Param


def router() -> Router:
    """Return the router of /retry."""
    own = Router(name="retry")
    own.message.register(retry, Command("retry"))
    own.callback_query.register(retry_pressed, NoteButton.filter(F.action == RETRY))
    return own


async def retry(
    message: Message, command: CommandObject, lookup: NoteLookup, actions: NoteActions, settings: Settings
) -> None:
    """Transcribe the chosen note again, or for the first time one that the bot has not been sent."""
    language = language_code(command)
    if language and (fault := unknown_language(language, settings)):
        await respond(message, fault_text(fault.code, fault.params))
        return
    if await lookup.take_in(message, _in_language({}, language)):
        return
    note, sender = await lookup.for_message(message), sender_of(message)
    if note is None or sender is None:
        return
    if not await lookup.can_change(note, sender.id):
        await respond(message, not_allowed_text())
    elif not await actions.retry(note, _in_language(note.request, language)):
        await respond(message, _already())


async def retry_pressed(
    press: CallbackQuery, callback_data: NoteButton, lookup: NoteLookup, actions: NoteActions
) -> None:
    """Transcribe the note of the button again as before, and delete a message that was left over."""
    note = await lookup.for_button(press, callback_data.note_id)
    if note and not await lookup.can_change(note, press.from_user.id):
        await answer(press, not_allowed_text())
        return
    if note:
        started = await actions.retry(note, note.request)
        await answer(press, "" if started else _already())
    await actions.remove_leftover(press.message, callback_data.note_id)


def _already() -> str:
    return translate("I am still working on this recording.")


def _in_language(request: Mapping[str, Param], language: str | None) -> dict[str, Param]:
    """Return what was asked for, in another language if one is named."""
    others = {name: value for name, value in request.items() if name != "language"}
    if language is None:
        return dict(request)
    return others if language == AUTO else {**others, "language": language}
