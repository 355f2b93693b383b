"""Records which chat messages answer a note, and to which group a chat moved."""

from sqlalchemy import ColumnElement, and_, delete, exists, select, update

from storage.database import Database
from storage.tables import notes
from storage.telegram.rows import STATUS_MESSAGE_ID, select_notes
from storage.telegram.tables import telegram_messages, telegram_replies
from storage.uninterruptible import uninterruptible

_chat = telegram_messages.c.answer_chat_id


@uninterruptible
class Replies:
    """The part of the ledger that knows the replies to notes of Telegram."""

    def __init__(self, database: Database) -> None:
        """Keep the replies in `database`."""
        self._database = database

    async def set_status_message(self, note_id: str, message_id: int, *, instead_of: int | None) -> bool:
        """Record the status message of the current run, if `instead_of` is still the recorded one (compare and set).

        False if it is not, or the note is gone: then nothing was written.
        """
        return await self._add(note_id, STATUS_MESSAGE_ID.is_not_distinct_from(instead_of), 0, message_id)

    async def add_part(
        self, note_id: str, part: int, message_id: int, *, run: int | None = None, fence: int | None = None
    ) -> bool:
        """Record the message that holds a part of the current run's text, counted from 1.

        False, with nothing written, if the note is gone, another message holds that part, or `run` or `fence` is no
        longer the note's.
        """
        still = [notes.c[name] == value for name, value in (("run", run), ("fence", fence)) if value is not None]
        taken = exists().where(
            telegram_replies.c.note_id == notes.c.id,
            telegram_replies.c.run == notes.c.run,
            telegram_replies.c.part == part,
            telegram_replies.c.chat_id == _chat,
        )
        return await self._add(note_id, and_(*still, ~taken), part, message_id)

    async def migrate_chat(self, bot_id: int, chat_id: int, moved_to: int) -> None:
        """Record that a group became another (a supergroup); messages in the old one cannot be edited."""
        of_group = and_(telegram_messages.c.bot_id == bot_id, _chat == chat_id, _chat != moved_to)
        async with self._database.writing() as connection:
            await connection.execute(update(telegram_messages).where(of_group).values(moved_to=moved_to))

    async def _add(self, note_id: str, which: ColumnElement[bool], part: int, message_id: int) -> bool:
        """Record a message if the condition holds; the lock on the note lets others that do the same wait."""
        lock = select(notes.c.id).where(notes.c.id == note_id).with_for_update()
        asked = select_notes().with_only_columns(notes.c.run, telegram_messages.c.bot_id, _chat.label("chat_id"))
        async with self._database.writing() as connection:
            await connection.execute(lock)
            row = (await connection.execute(asked.where(notes.c.id == note_id, which))).mappings().one_or_none()
            if row is None:
                return False
            place = {"note_id": note_id, "run": row["run"], "part": part}
            await connection.execute(
                delete(telegram_replies).where(*(telegram_replies.c[key] == place[key] for key in place))
            )
            await connection.execute(telegram_replies.insert().values({**row, **place, "message_id": message_id}))
        return True
