"""Records which chat messages answer a note."""

from datetime import datetime

from sqlalchemy import ColumnElement, and_, case, delete, exists, select, update

from storage.database import Database
from storage.note import Note
from storage.rows import COLUMNS, note_from_row
from storage.tables import HAS_MOVED, IS_QUEUED, UNSETTLED, notes, replies

CHAT = notes.c.answer_chat_id


class Replies:
    """The part of the ledger that knows the replies to notes."""

    def __init__(self, database: Database) -> None:
        """Keep the replies in `database`."""
        self._database = database

    async def set_status_message(self, note_id: str, message_id: int, *, instead_of: int | None) -> bool:
        """Record the status message of the current run, if `instead_of` is still the recorded one (compare and set).

        False if it is not, or the note is gone: then nothing was written.
        """
        same = notes.c.status_message_id.is_not_distinct_from(instead_of)
        return await self._add(and_(notes.c.id == note_id, same), 0, message_id, status_message_id=message_id)

    async def add_part(
        self, note_id: str, part: int, message_id: int, *, run: int | None = None, fence: int | None = None
    ) -> bool:
        """Record the message that holds a part of the current run's text, counted from 1.

        False, with nothing written, if the note is gone, another message holds that part, or `run` or `fence` is no
        longer the note's.
        """
        still = [notes.c[name] == value for name, value in (("run", run), ("fence", fence)) if value is not None]
        taken = exists().where(
            replies.c.note_id == notes.c.id,
            replies.c.run == notes.c.run,
            replies.c.part == part,
            replies.c.chat_id == CHAT,
        )
        return await self._add(and_(notes.c.id == note_id, *still, ~taken), part, message_id)

    async def migrate_chat(self, bot_id: int, chat_id: int, moved_to: int) -> None:
        """Record that a group became another (a supergroup); messages in the old one cannot be edited."""
        of_group = and_(notes.c.bot_id == bot_id, notes.c.answer_chat_id == chat_id)
        elsewhere = notes.c.answer_chat_id != moved_to
        forgotten = case((UNSETTLED, None), else_=notes.c.status_message_id)
        async with self._database.writing() as connection:
            await connection.execute(
                update(notes).where(of_group, elsewhere).values(moved_to=moved_to, status_message_id=forgotten)
            )

    async def migrated_chats(self, bot_id: int) -> dict[int, int]:
        """Return the groups that became others: id of the old group → id of the new one."""
        asked = select(notes.c.chat_id, notes.c.moved_to).where(notes.c.bot_id == bot_id, HAS_MOVED)
        async with self._database.reading() as connection:
            return {row.chat_id: row.moved_to for row in await connection.execute(asked.distinct())}

    async def without_status_message(self, bot_id: int, before: datetime) -> list[Note]:
        """Return the waiting notes from before a moment that have no status message yet, oldest first."""
        waits = and_(UNSETTLED, notes.c.bot_id == bot_id, IS_QUEUED, notes.c.received_at < before)
        asked = select(*COLUMNS).where(waits, notes.c.status_message_id.is_(None))
        async with self._database.reading() as connection:
            found = [note_from_row(row) for row in (await connection.execute(asked)).mappings()]
        return sorted(found, key=lambda note: note.queued_at)

    async def _add(self, which: ColumnElement[bool], part: int, message_id: int, **values: int) -> bool:
        changed = update(notes).where(which).values({"run": notes.c.run, **values})
        where = (notes.c.id.label("note_id"), notes.c.run, notes.c.bot_id, CHAT.label("chat_id"))
        async with self._database.writing() as connection:
            row = (await connection.execute(changed.returning(*where))).mappings().one_or_none()
            if row is None:
                return False
            place = {"note_id": row["note_id"], "run": row["run"], "part": part}
            await connection.execute(delete(replies).where(*(replies.c[key] == place[key] for key in place)))
            await connection.execute(replies.insert().values({**row, **place, "message_id": message_id}))
        return True
