"""Selects notes together with their messages, and converts such rows into `TelegramNote` values."""

from sqlalchemy import RowMapping, Select, and_, select

from storage.rows import COLUMNS, note_from_row
from storage.tables import notes
from storage.telegram.message import MESSAGE_FIELDS, NOTE_FIELDS, TelegramNote
from storage.telegram.tables import telegram_messages, telegram_replies

_STATUS = telegram_replies.alias("status")
_IS_STATUS = and_(
    _STATUS.c.note_id == notes.c.id,
    _STATUS.c.run == notes.c.run,
    _STATUS.c.part == 0,
    _STATUS.c.chat_id == telegram_messages.c.answer_chat_id,  # what is left in a group that moved cannot be edited
)
STATUS_MESSAGE_ID = _STATUS.c.message_id
_OWN = (*MESSAGE_FIELDS, "moved_to", "status_message_id")


def select_notes() -> Select[tuple[object, ...]]:
    """Select the notes of this door, with their messages and their status messages."""
    own = [telegram_messages.c[name] for name in (*MESSAGE_FIELDS, "moved_to")]
    joined = telegram_messages.join(notes, notes.c.id == telegram_messages.c.note_id).outerjoin(_STATUS, _IS_STATUS)
    return select(*COLUMNS, *own, STATUS_MESSAGE_ID.label("status_message_id")).select_from(joined)


def telegram_note_from_row(row: RowMapping) -> TelegramNote:
    """Convert a row of `select_notes`."""
    note = note_from_row(row)
    of_note = {name: getattr(note, name) for name in NOTE_FIELDS}
    return TelegramNote(**of_note, **{name: row[name] for name in _OWN})
