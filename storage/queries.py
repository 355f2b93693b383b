"""Queries for notes and their transcripts. Changes nothing."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Select, Table, and_, func, or_, select, union_all

from engine import Transcript
from storage.clock import moment
from storage.database import Database
from storage.note import Note, Page, State
from storage.rows import COLUMNS, note_from_row
from storage.states import HOLD_S
from storage.tables import UNSETTLED, bot_totals, chat_totals, notes, replies, transcripts

_IN_OWN_CHAT = and_(notes.c.business_connection_id == "", notes.c.guest_query_id == "")


class NoteQueries:
    """The part of the ledger that finds notes."""

    def __init__(self, database: Database) -> None:
        """Read from `database`."""
        self._database = database

    async def current_time(self) -> datetime:
        """Return the time by the clock that the ledger uses, which with PostgreSQL is that of the server."""
        async with self._database.reading() as connection:
            return (await connection.execute(select(moment()))).scalar_one()

    async def get(self, note_id: str) -> Note | None:
        """Return the note with that id."""
        return await self._first(select(*COLUMNS).where(notes.c.id == note_id))

    async def by_message(self, bot_id: int, chat_id: int, message_id: int) -> Note | None:
        """Return the note of a message, be that the voice note itself, its status message or a part of its text."""
        itself = select(notes.c.id).where(_at(notes, bot_id, chat_id, message_id))
        answered = select(replies.c.note_id).where(_at(replies, bot_id, chat_id, message_id))
        own = select(*COLUMNS).where(notes.c.id.in_(itself.union_all(answered)), _IN_OWN_CHAT)
        return await self._first(own.order_by(notes.c.id.desc()))

    async def newest(self, bot_id: int, chat_id: int) -> Note | None:
        """Return the newest note of the chat."""
        return await self._first(_of_chat(bot_id, chat_id))

    async def page(self, bot_id: int, chat_id: int, page: int, size: int = 10) -> Page:
        """Return a page of the chat's notes, newest first, `size` a page."""
        count = select(chat_totals.c.notes).where(chat_totals.c.bot_id == bot_id, chat_totals.c.chat_id == chat_id)
        async with self._database.reading() as connection:
            total = (await connection.execute(count)).scalar_one_or_none() or 0
            pages = max(1, -(-total // size))
            page = min(max(page, 0), pages - 1)
            found = await connection.execute(_of_chat(bot_id, chat_id).limit(size).offset(page * size))
            rows = found.mappings().all()
        return Page(notes=tuple(note_from_row(row) for row in rows), page=page, pages=pages, total=total)

    async def recent(self, chat_id: int | None = None, limit: int = 20) -> list[Note]:
        """Return the newest notes of one chat or of all, newest first."""
        if chat_id is None:
            newest_first = (notes.c.received_at.desc(), notes.c.id.desc())
            return await self._all(select(*COLUMNS).order_by(*newest_first).limit(limit))
        found = [note for bot in await self._bots() for note in await self._all(_of_chat(bot, chat_id).limit(limit))]
        return sorted(found, key=lambda note: (note.received_at, note.id), reverse=True)[:limit]

    async def transcript(self, note_id: str) -> Transcript | None:
        """Return the transcript of the note, if there is one."""
        asked = select(transcripts.c.transcript).where(transcripts.c.note_id == note_id)
        async with self._database.reading() as connection:
            text = (await connection.execute(asked)).scalar_one_or_none()
        return None if text is None else Transcript.from_json(text)

    async def text_parts(self, note_id: str) -> dict[int, int]:
        """Return the messages that hold the current run's text beyond the status message: part → message id.

        In a group that became another, the messages of the old one are out of reach, and not among them.
        """
        asked = (
            select(replies.c.part, replies.c.message_id)
            .join(notes, and_(notes.c.id == replies.c.note_id, notes.c.run == replies.c.run))
            .where(replies.c.note_id == note_id, replies.c.part > 0, replies.c.chat_id == notes.c.answer_chat_id)
            .order_by(replies.c.part)
        )
        async with self._database.reading() as connection:
            return {row.part: row.message_id for row in await connection.execute(asked)}

    async def find_same_file(self, note: Note, options: str) -> Note | None:
        """Return another note of the same Telegram file that was transcribed with the same options."""
        return await self._reusable(note, options, notes.c.file_unique_id == note.file_unique_id)

    async def find_same_digest(self, note: Note, options: str, digest: str) -> Note | None:
        """Return another note with the same decoded audio that was transcribed with the same options."""
        return await self._reusable(note, options, notes.c.digest == digest)

    async def is_same_audio_running(self, note: Note) -> bool:
        """Return whether a live worker began on the same audio, with the same options, before this note's worker."""
        earlier = or_(
            notes.c.started_at < note.started_at,
            and_(notes.c.started_at == note.started_at, notes.c.id < note.id),
        )
        own_options = select(notes.c.options).where(notes.c.id == note.id).scalar_subquery()
        alive = notes.c.beat_at >= moment(ago_s=HOLD_S)
        running = and_(notes.c.state == State.PROCESSING, notes.c.id != note.id, notes.c.options == own_options, alive)
        sounds = [notes.c.file_unique_id == note.file_unique_id]
        if note.digest is not None:
            sounds.append(notes.c.digest == note.digest)
        asked = union_all(*(select(notes.c.id).where(running, same_sound, earlier) for same_sound in sounds))
        async with self._database.reading() as connection:
            return (await connection.execute(asked.limit(1))).first() is not None

    async def orphaned(
        self, quiet_s: float, *, bot_id: int | None = None, after: str = "", limit: int | None = None
    ) -> list[str]:
        """Return the ids of unfinished notes that no live worker holds and that have been queued for `quiet_s`.

        They come in their order, from the first one after the id `after` on, and not more than `limit`; with `bot_id`,
        only those of that bot.
        """
        # An expression that no index serves: else SQLite finds all of the bot's notes and sorts them for each page.
        whose = [] if bot_id is None else [notes.c.bot_id + 0 == bot_id]
        held = and_(notes.c.beat_at.is_not(None), notes.c.beat_at >= moment(ago_s=HOLD_S))
        unfinished = notes.c.state.in_((State.QUEUED, State.PROCESSING))
        orphan = and_(UNSETTLED, unfinished, ~func.coalesce(held, False), notes.c.id > after)
        asked = select(notes.c.id).where(orphan, *whose, notes.c.queued_at < moment(ago_s=quiet_s))
        async with self._database.reading() as connection:
            return list((await connection.execute(asked.order_by(notes.c.id).limit(limit))).scalars())

    async def get_many(self, note_ids: Sequence[str]) -> list[Note]:
        """Return those of the notes that exist, by id."""
        return await self._all(select(*COLUMNS).where(notes.c.id.in_(note_ids)).order_by(notes.c.id))

    async def _reusable(self, note: Note, options: str, same_sound: ColumnElement[bool]) -> Note | None:
        done = and_(notes.c.state == State.DONE, notes.c.options == options, notes.c.id != note.id)
        return await self._first(select(*COLUMNS).where(done, same_sound).order_by(notes.c.id.desc()))

    async def _bots(self) -> Sequence[int]:
        async with self._database.reading() as connection:
            return (await connection.execute(select(bot_totals.c.bot_id).distinct())).scalars().all()

    async def _first(self, asked: Select[tuple[object, ...]]) -> Note | None:
        async with self._database.reading() as connection:
            row = (await connection.execute(asked.limit(1))).mappings().one_or_none()
        return None if row is None else note_from_row(row)

    async def _all(self, asked: Select[tuple[object, ...]]) -> list[Note]:
        async with self._database.reading() as connection:
            return [note_from_row(row) for row in (await connection.execute(asked)).mappings()]


def _of_chat(bot_id: int, chat_id: int) -> Select[tuple[object, ...]]:
    """Select the notes that the bot was sent in its own chat, wherever that moved to, newest first."""
    here = and_(notes.c.bot_id == bot_id, notes.c.answer_chat_id == chat_id, _IN_OWN_CHAT)
    return select(*COLUMNS).where(here).order_by(notes.c.received_at.desc(), notes.c.id.desc())


def _at(table: Table, bot_id: int, chat_id: int, message_id: int) -> ColumnElement[bool]:
    return and_(table.c.bot_id == bot_id, table.c.chat_id == chat_id, table.c.message_id == message_id)
