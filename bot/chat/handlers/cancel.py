"""/cancel and the Cancel button."""

from aiogram import F, Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message

from bot.chat.handlers.note_lookup import NoteLookup, not_allowed_text
from bot.chat.handlers.respond import answer, respond
from bot.chat.note_actions import NoteActions
from bot.chat.sender import sender_of
from bot.chat.status_message import CANCEL, NoteButton
from bot.chat.texts import translate
from storage.telegram.message import TelegramNote


def router() -> Router:
    """Return the router of /cancel."""
    own = Router(name="cancel")
    own.message.register(cancel, Command("cancel"))
    own.callback_query.register(cancel_pressed, NoteButton.filter(F.action == CANCEL))
    return own


async def cancel(message: Message, lookup: NoteLookup, actions: NoteActions) -> None:
    """Cancel the chosen note."""
    note, sender = await lookup.for_message(message), sender_of(message)
    if note and sender:
        await respond(message, await _give_up(note, sender.id, lookup, actions))


async def cancel_pressed(
    press: CallbackQuery, callback_data: NoteButton, lookup: NoteLookup, actions: NoteActions
) -> None:
    """Cancel the note of the button, and delete a message that was left over."""
    note = await lookup.for_button(press, callback_data.note_id)
    if note and not await lookup.can_change(note, press.from_user.id):
        await answer(press, not_allowed_text())
        return
    if note:
        await answer(press, await _cancel(note, actions))
    await actions.remove_leftover(press.message, callback_data.note_id)


async def _give_up(note: TelegramNote, user_id: int, lookup: NoteLookup, actions: NoteActions) -> str:
    """Cancel a note if that is allowed and not too late; return the answer."""
    return await _cancel(note, actions) if await lookup.can_change(note, user_id) else not_allowed_text()


async def _cancel(note: TelegramNote, actions: NoteActions) -> str:
    if not await actions.cancel(note):
        return translate("This recording is finished already.")
    return translate("Cancelled.")
