"""/delete: deletes a recording, its text and the messages about it.

As a reply to a note it deletes at once; otherwise it asks first whether the newest note is meant.
"""

from aiogram import F, Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message

from bot.chat.handlers.history import preview_of
from bot.chat.handlers.note_lookup import NoteLookup, not_allowed_text, replied_message
from bot.chat.handlers.respond import answer, change, respond
from bot.chat.note_actions import NoteActions
from bot.chat.sender import sender_of
from bot.chat.status_message import DELETE, KEEP, NoteButton, buttons
from bot.chat.texts import date_time_text, translate


def router() -> Router:
    """Return the router of /delete."""
    own = Router(name="delete")
    own.message.register(delete, Command("delete"))
    own.callback_query.register(delete_pressed, NoteButton.filter(F.action == DELETE))
    own.callback_query.register(keep_pressed, NoteButton.filter(F.action == KEEP))
    return own


async def delete(message: Message, lookup: NoteLookup, actions: NoteActions) -> None:
    """Delete the note that the command replies to, or ask about the newest."""
    note, sender = await lookup.for_message(message), sender_of(message)
    if note is None or sender is None:
        return
    if not await lookup.can_change(note, sender.id):
        await respond(message, not_allowed_text())
    elif replied_message(message):
        await actions.delete(note)
        await respond(message, _deleted())
    else:
        question = translate("Delete this recording and its text?")
        entry = f"{date_time_text(note.received_at)} · {preview_of(note)}"
        keyboard = buttons(
            [
                (translate("Delete"), NoteButton(action=DELETE, note_id=note.id)),
                (translate("Keep"), NoteButton(action=KEEP, note_id=note.id)),
            ]
        )
        await respond(message, f"{question}\n\n{entry}", keyboard)


async def delete_pressed(
    press: CallbackQuery, callback_data: NoteButton, lookup: NoteLookup, actions: NoteActions
) -> None:
    """Delete the note after the confirmation."""
    note = await lookup.for_button(press, callback_data.note_id)
    if note is None:
        return
    if not await lookup.can_change(note, press.from_user.id):
        await answer(press, not_allowed_text(), show_alert=True)
        return
    await actions.delete(note)
    await change(press, _deleted())
    await answer(press)


async def keep_pressed(press: CallbackQuery) -> None:
    """Keep the note."""
    await change(press, translate("Kept."))
    await answer(press)


def _deleted() -> str:
    return translate("Deleted: the recording, its text, and my messages about it.")
