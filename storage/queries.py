"""Queries for notes and their transcripts. Changes nothing."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, union_all

from engine import Transcript
from storage.clock import moment
from storage.database import Database
from storage.note import Note, State
from storage.rows import COLUMNS, note_from_row
from storage.states import HOLD_S
from storage.tables import UNSETTLED, notes, transcripts


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

    async def recent(self, limit: int = 20) -> list[Note]:
        """Return the newest notes of all doors, newest first."""
        newest_first = (notes.c.received_at.desc(), notes.c.id.desc())
        return await self._all(select(*COLUMNS).order_by(*newest_first).limit(limit))

    async def transcript(self, note_id: str) -> Transcript | None:
        """Return the transcript of the note, if there is one."""
        asked = select(transcripts.c.transcript).where(transcripts.c.note_id == note_id)
        async with self._database.reading() as connection:
            text = (await connection.execute(asked)).scalar_one_or_none()
        return None if text is None else Transcript.from_json(text)

    async def find_same_sound(self, note: Note, options: str) -> Note | None:
        """Return another note whose audio has the same key and that was transcribed with the same options."""
        if note.sound_key is None:
            return None
        return await self._reusable(note, options, notes.c.sound_key == note.sound_key)

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
        keys = {notes.c.sound_key: note.sound_key, notes.c.digest: note.digest}
        sounds = [column == key for column, key in keys.items() if key is not None]
        if not sounds:
            return False
        asked = union_all(*(select(notes.c.id).where(running, same_sound, earlier) for same_sound in sounds))
        async with self._database.reading() as connection:
            return (await connection.execute(asked.limit(1))).first() is not None

    async def orphaned(
        self, quiet_s: float, *, door: str | None = None, after: str = "", limit: int | None = None
    ) -> list[str]:
        """Return the ids of unfinished notes that no live worker holds and that have been queued for `quiet_s`.

        They come in their order, from the first one after the id `after` on, and not more than `limit`; with `door`,
        only those of that door.
        """
        whose = [] if door is None else [notes.c.door == door]
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

    async def _first(self, asked: Select[tuple[object, ...]]) -> Note | None:
        async with self._database.reading() as connection:
            row = (await connection.execute(asked.limit(1))).mappings().one_or_none()
        return None if row is None else note_from_row(row)

    async def _all(self, asked: Select[tuple[object, ...]]) -> list[Note]:
        async with self._database.reading() as connection:
            return [note_from_row(row) for row in (await connection.execute(asked)).mappings()]
