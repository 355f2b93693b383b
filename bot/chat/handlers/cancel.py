"""/cancel and the Cancel button: a note that waits or runs is given up."""

from aiogram import F, Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message

from bot.chat.handlers.note_lookup import Choice, not_yours
from bot.chat.handlers.respond import respond
from bot.chat.note_actions import Changes
from bot.chat.status_message import CANCEL, NoteButton
from bot.chat.texts import say
from storage.note import Note


def router() -> Router:
    """Make the router of these handlers."""
    own = Router(name="cancel")
    own.message.register(cancel, Command("cancel"))
    own.callback_query.register(cancel_pressed, NoteButton.filter(F.action == CANCEL))
    return own


async def cancel(message: Message, choice: Choice, changes: Changes) -> None:
    """Give up the chosen note."""
    note = await choice.of(message)
    if note and message.from_user:
        await respond(message, await _give_up(note, message.from_user.id, choice, changes))


async def cancel_pressed(press: CallbackQuery, callback_data: NoteButton, choice: Choice, changes: Changes) -> None:
    """Give up the note of the button."""
    note = await choice.pressed(press, callback_data.note_id)
    if note:
        await press.answer(await _give_up(note, press.from_user.id, choice, changes))


async def _give_up(note: Note, user_id: int, choice: Choice, changes: Changes) -> str:
    """Cancel if that is allowed and not too late; give the sentence to answer with."""
    if not await choice.may_change(note, user_id):
        return not_yours()
    if not await changes.cancel(note):
        return say("This recording is finished already.")
    return say("Cancelled.")
