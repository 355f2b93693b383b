"""Records which chat messages answer a note, and above which id a lost one may be.

A process that dies while it sends a message never learns its id: the message is a stray. So the ledger is told before
a message is sent, and keeps the highest id known then; whoever continues with the note looks for the stray above it.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, CompoundSelect, Select, and_, case, delete, func, or_, select, update

from storage.database import Database
from storage.note import Note, State
from storage.rows import COLUMNS, note_from_row
from storage.states import UNSETTLED
from storage.tables import notes, replies

CHAT = func.coalesce(notes.c.moved_to, notes.c.chat_id)


class Replies:
    """The part of the ledger that knows the replies to notes."""

    def __init__(self, database: Database) -> None:
        """Keep the replies in `database`."""
        self._database = database

    async def expect_stray(self, note_id: str) -> bool:
        """Record that a message is about to be sent, which may become a stray. False if there may be one already."""
        row = select(CHAT.label("chat_id"), notes.c.bot_id).where(notes.c.id == note_id)
        async with self._database.writing() as connection:
            if (found := (await connection.execute(row)).one_or_none()) is None:
                return False
            newest = (await connection.execute(_newest(found.bot_id, found.chat_id))).scalar_one()
            expecting = update(notes).where(notes.c.id == note_id, notes.c.stray_after.is_(None))
            return (await connection.execute(expecting.values(stray_after=newest))).rowcount > 0

    async def set_stray_after(self, note_id: str, after: int | None) -> None:
        """Record that a stray can only have an id above `after`; None: there is no stray."""
        async with self._database.writing() as connection:
            await connection.execute(update(notes).where(notes.c.id == note_id).values(stray_after=after))

    async def possible_stray_ids(self, note: Note, most: int) -> Sequence[int]:
        """Return the lowest message ids, at most so many, that a stray of the note may have.

        All are below the newest message known to answer the note, which was sent after the stray.
        """
        if note.stray_after is None:
            return ()
        newest = select(func.coalesce(func.max(replies.c.message_id), 0)).where(
            replies.c.note_id == note.id, replies.c.run == note.run, replies.c.chat_id == note.answer_chat_id
        )
        async with self._database.reading() as connection:
            between = range(note.stray_after + 1, (await connection.execute(newest)).scalar_one())
            asked = _known(note.bot_id, note.answer_chat_id, between)
            known: set[int] = {*(await connection.execute(asked)).scalars()}
        unknown = (number for number in between if number not in known)
        return [number for number, _ in zip(unknown, range(most), strict=False)]

    async def set_status_message(self, note_id: str, message_id: int, *, instead_of: int | None) -> bool:
        """Record the status message of the current run, if `instead_of` is still the recorded one (compare and set).

        False if it is not, or the note is gone: then nothing was written.
        """
        same = notes.c.status_message_id.is_not_distinct_from(instead_of)
        return await self._add(and_(notes.c.id == note_id, same), 0, message_id, status_message_id=message_id)

    async def add_part(self, note_id: str, part: int, message_id: int) -> bool:
        """Record the message that holds a part of the current run's text, counted from 1. False if the note is gone."""
        return await self._add(notes.c.id == note_id, part, message_id)

    async def migrate_chat(self, bot_id: int, chat_id: int, moved_to: int) -> None:
        """Record that a group became another (a supergroup); messages in the old one cannot be edited."""
        of_group = and_(notes.c.bot_id == bot_id, or_(notes.c.chat_id == chat_id, notes.c.moved_to == chat_id))
        elsewhere = and_(notes.c.chat_id != moved_to, notes.c.moved_to.is_distinct_from(moved_to))
        forgotten = {
            name: case((UNSETTLED, None), else_=notes.c[name]) for name in ("status_message_id", "stray_after")
        }
        async with self._database.writing() as connection:
            await connection.execute(update(notes).where(of_group, elsewhere).values(moved_to=moved_to, **forgotten))

    async def migrated_chats(self, bot_id: int) -> dict[int, int]:
        """Return the groups that became others: id of the old group → id of the new one."""
        asked = select(notes.c.chat_id, notes.c.moved_to).where(notes.c.bot_id == bot_id, notes.c.moved_to.is_not(None))
        async with self._database.reading() as connection:
            return {row.chat_id: row.moved_to for row in await connection.execute(asked.distinct())}

    async def without_status_message(self, bot_id: int, before: datetime) -> list[Note]:
        """Return the waiting notes from before a moment that have no status message yet, oldest first."""
        waits = and_(notes.c.bot_id == bot_id, notes.c.state == State.QUEUED, notes.c.received_at < before)
        asked = select(*COLUMNS).where(waits, notes.c.status_message_id.is_(None))
        async with self._database.reading() as connection:
            return [note_from_row(row) for row in (await connection.execute(asked.order_by(notes.c.id))).mappings()]

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


def _known(bot_id: int, chat_id: int, between: range) -> CompoundSelect[tuple[int]]:
    """Select the message ids of a chat that the ledger knows."""
    received, sent = (
        select(table.c.message_id).where(
            table.c.bot_id == bot_id,
            table.c.chat_id == chat_id,
            table.c.message_id.between(between.start, between.stop - 1),
        )
        for table in (notes, replies)
    )
    return received.union_all(sent)


def _newest(bot_id: int, chat_id: int) -> Select[tuple[int]]:
    known = _known(bot_id, chat_id, range(2**62)).subquery()
    return select(func.coalesce(func.max(known.c.message_id), 0))
