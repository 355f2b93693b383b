"""The life of a note: every change of its state, each one atomic and conditional.

A worker holds a note by its `fence`, a number that grows with every claim, and by `beat_at`, which it keeps fresh. What
a worker writes names its fence, so that one which lost its note to another writes nothing.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, case, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from engine import Transcript
from storage.database import Database
from storage.errors import NoteGone
from storage.identity import new_id
from storage.note import FINAL, Failure, Incoming, Note, State
from storage.rows import COLUMNS, note_of, now
from storage.tables import PREVIEW_LENGTH, notes, transcripts

HOLD_S = 9.0  # a worker that was not seen for so long is dead or cut off, and its note is anybody's
UNSETTLED = and_(notes.c.delivered_at.is_(None), notes.c.undeliverable.is_(None))

Values = Mapping[str, object]


class Life:
    """What changes a note."""

    def __init__(self, database: Database) -> None:
        """Keep notes in `database`."""
        self._database = database

    async def record(self, incoming: Incoming) -> tuple[Note, bool]:
        """Write down a new note; the same message again gives the note that is there already, and False."""
        for _ in range(3):
            async with self._database.writing() as connection:
                fresh = _fresh(incoming)
                statement = _insert(connection, fresh).on_conflict_do_nothing().returning(*COLUMNS)
                row = (await connection.execute(statement)).mappings().one_or_none()
                if row is not None:
                    return note_of(row), True
                same_message = [notes.c[key] == fresh[key] for key in ("bot_id", "chat_id", "message_id")]
                row = (await connection.execute(select(*COLUMNS).where(*same_message))).mappings().one_or_none()
                if row is not None:
                    return note_of(row), False
        raise AssertionError("three new names in a row were taken")

    async def claim(self, note_id: str, worker: str, *, options: str = "") -> Note | None:
        """Take the note for `worker`, to be transcribed or, when it has ended, to be delivered.

        None when there is nothing to do: it is gone, settled, or held by a worker that is alive.
        """
        works = notes.c.state.in_((State.QUEUED, State.PROCESSING))
        dead = now() - timedelta(seconds=HOLD_S)
        free = or_(notes.c.beat_at.is_(None), notes.c.beat_at < dead)
        return await self._change(
            and_(notes.c.id == note_id, UNSETTLED, free),
            {
                "state": case((works, State.PROCESSING.value), else_=notes.c.state),
                "started_at": case((works, now()), else_=notes.c.started_at),
                "options": case((works, options), else_=notes.c.options),
                "fence": notes.c.fence + 1,
                "worker": worker,
                "beat_at": now(),
            },
        )

    async def mine(self, note_id: str, fence: int) -> bool:
        """Say whether the note is still the worker's that `fence` names, be it to transcribe or to deliver."""
        async with self._database.reading() as connection:
            return (await connection.execute(select(notes.c.id).where(_mine(note_id, fence)))).first() is not None

    async def beat(self, note_id: str, fence: int) -> bool:
        """Say that the note's worker is alive. False when the note is no longer its own."""
        return await self._change(_mine(note_id, fence), {"beat_at": now()}) is not None

    async def begin(self, note_id: str, fence: int) -> bool:
        """Say that the work on the sound begins, which may kill the worker. False when the note is not its own."""
        return await self._change(_held(note_id, fence), {"tries": notes.c.tries + 1}) is not None

    async def release(self, note_id: str, fence: int, *, begun: bool = False) -> bool:
        """Hand the note back, as if it had not been claimed nor `begun`: the next worker may take it at once."""
        works = notes.c.state == State.PROCESSING
        values = {
            "state": case((works, State.QUEUED.value), else_=notes.c.state),
            "tries": case((works, notes.c.tries - int(begun)), else_=notes.c.tries),
            "worker": None,
            "beat_at": None,
        }
        mine = and_(_fenced(note_id, fence), notes.c.beat_at.is_not(None))
        return await self._change(mine, values) is not None

    async def set_digest(self, note_id: str, fence: int, digest: str, *, audio_s: float) -> bool:
        """Keep what the sound was found to be, once it is decoded."""
        return await self._change(_held(note_id, fence), {"digest": digest, "audio_s": audio_s}) is not None

    async def finish(self, note_id: str, fence: int, transcript: Transcript, *, engine_s: float, digest: str) -> bool:
        """Keep the transcript. False when the note is no longer the caller's: then nothing was written."""
        text = " ".join(segment.text for segment in transcript.segments)
        values = {
            "state": State.DONE.value,
            "finished_at": now(),
            "audio_s": transcript.duration,
            "engine_s": engine_s,
            "model": transcript.model,
            "digest": digest,
            "preview": text[:PREVIEW_LENGTH],
        }
        async with self._database.writing() as connection:
            changed = await connection.execute(update(notes).where(_held(note_id, fence)).values(values))
            if changed.rowcount == 0:
                return False
            await connection.execute(delete(transcripts).where(transcripts.c.note_id == note_id))
            row = {"note_id": note_id, "transcript": transcript.to_json(), "text": text}
            await connection.execute(transcripts.insert().values(row))
        return True

    async def fail(self, note_id: str, fence: int, failure: Failure) -> bool:
        """Keep why there is no transcript. False when the note is no longer the caller's."""
        values = {
            "state": State.FAILED.value,
            "finished_at": now(),
            "error_code": failure.code,
            "error_params": failure.params,
        }
        return await self._change(_held(note_id, fence), values) is not None

    async def cancel(self, note_id: str) -> bool:
        """End the note without a transcript. False when it had ended already."""
        unfinished = and_(notes.c.id == note_id, notes.c.state.in_((State.QUEUED, State.PROCESSING)))
        values = {"state": State.CANCELLED.value, "finished_at": now(), "beat_at": None, "worker": None}
        return await self._change(unfinished, values) is not None

    async def retry(self, note_id: str, *, language: str | None, hotwords: tuple[str, ...] = ()) -> Note:
        """Queue a note that has ended once more, as a new run with a status reply of its own.

        A note that has not ended is given back as it is.

        Raises:
            NoteGone: there is no such note.
        """
        ended = and_(notes.c.id == note_id, notes.c.state.in_(FINAL))
        note = await self._change(
            ended,
            {
                **_unstarted(now()),
                "preview": notes.c.preview,  # the earlier transcript stays until there is a new one
                "run": notes.c.run + 1,
                "fence": notes.c.fence + 1,
                "language": language,
                "hotwords": hotwords,
            },
        )
        if note is None:
            note = await self._change(notes.c.id == note_id, {"run": notes.c.run})
        if note is None:
            raise NoteGone
        return note

    async def mark_delivered(self, note_id: str, fence: int | None = None, *, run: int | None = None) -> bool:
        """Keep that the chat knows how the note ended; with `fence` or `run`, only as long as those are still so."""
        return await self._settle(_while(note_id, fence, run), {"delivered_at": now()})

    async def mark_undeliverable(
        self, note_id: str, reason: str, fence: int | None = None, *, run: int | None = None
    ) -> bool:
        """Keep that the chat can never be told, and why; as for `mark_delivered`."""
        return await self._settle(_while(note_id, fence, run), {"undeliverable": reason})

    async def delete(self, note_id: str) -> bool:
        """Forget the note, its transcript and its replies."""
        async with self._database.writing() as connection:
            return (await connection.execute(delete(notes).where(notes.c.id == note_id))).rowcount > 0

    async def set_recording(self, note_id: str, name: str | None) -> bool:
        """Keep the file name of the note's recording, or that it has none. False when the note is gone."""
        return await self._change(notes.c.id == note_id, {"recording": name}) is not None

    async def _settle(self, who: ColumnElement[bool], how: Values) -> bool:
        untold = and_(who, notes.c.state.in_(FINAL), UNSETTLED)
        return await self._change(untold, {**how, "beat_at": None, "worker": None}) is not None

    async def _change(self, condition: ColumnElement[bool], values: Values) -> Note | None:
        async with self._database.writing() as connection:
            changed = await connection.execute(update(notes).where(condition).values(values).returning(*COLUMNS))
            row = changed.mappings().one_or_none()
        return None if row is None else note_of(row)


def _while(note_id: str, fence: int | None, run: int | None) -> ColumnElement[bool]:
    still = [notes.c[name] == value for name, value in (("fence", fence), ("run", run)) if value is not None]
    return and_(notes.c.id == note_id, *still)


def _fenced(note_id: str, fence: int) -> ColumnElement[bool]:
    return and_(notes.c.id == note_id, notes.c.fence == fence)


def _mine(note_id: str, fence: int) -> ColumnElement[bool]:
    return and_(_fenced(note_id, fence), UNSETTLED, notes.c.beat_at.is_not(None))


def _held(note_id: str, fence: int) -> ColumnElement[bool]:
    return and_(_fenced(note_id, fence), notes.c.state == State.PROCESSING)


def _insert(connection: AsyncConnection, values: Values) -> "sqlite.Insert | postgresql.Insert":
    if connection.dialect.name == "sqlite":
        return sqlite.insert(notes).values(values)
    return postgresql.insert(notes).values(values)


def _fresh(incoming: Incoming) -> dict[str, object]:
    came = now()
    return {
        **{name: getattr(incoming, name) for name in Incoming.__slots__},
        **_unstarted(came),
        "id": new_id(),
        "received_at": came,
        "fence": 0,
        "run": 0,
        "hotwords": (),
    }


def _unstarted(queued_at: datetime) -> dict[str, object]:
    emptied = (
        "options",
        "status_message_id",
        "started_at",
        "finished_at",
        "delivered_at",
        "undeliverable",
        "worker",
        "beat_at",
        "audio_s",
        "engine_s",
        "model",
        "error_code",
        "error_params",
    )
    return {**dict.fromkeys(emptied), "state": State.QUEUED.value, "tries": 0, "queued_at": queued_at, "preview": ""}
