"""The states of a note: every change is one atomic, conditional update.

A worker holds a note by its `fence`, a number that grows with every claim, and by `beat_at`, the time of its last
heartbeat. Every write of a worker names its fence, so that a worker that lost its note writes nothing.
"""

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, and_, case, delete, false, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from engine import Param, Transcript
from storage.artefacts.artefact import DEFAULT_RETENTION, Retention
from storage.artefacts.rows import add_artefacts, mark_artefacts_deleted
from storage.clock import Moment, moment
from storage.database import Database, lock_until_end
from storage.door_row import DoorRow
from storage.errors import NoteDeleted
from storage.fair_order import is_long, lock_account, next_tag
from storage.note import FINAL, Failure, Incoming, Note, State
from storage.note_ids import new_note_id
from storage.rows import COLUMNS, note_from_row
from storage.tables import PREVIEW_LENGTH, UNSETTLED, deliveries, notes, settings, transcripts

HOLD_S = 9.0  # a worker without a heartbeat for so long is dead or cut off, and another may claim its note
QUIET_S = 8.0  # whoever has just changed a note is about to queue it or to tell its sender
WAITING, DELIVERED, UNDELIVERABLE = "waiting", "delivered", "undeliverable"  # states of a delivery

Claim = tuple[str, int]  # the id of a note, and the fence of the claim
Values = Mapping[str, object]


class NoteStates:
    """The part of the ledger that changes notes."""

    def __init__(self, database: Database, retention: Retention = DEFAULT_RETENTION) -> None:
        """Keep notes in `database`; of those that are done, artefacts as `retention` says."""
        self._database = database
        self._retention = retention

    async def submit(self, incoming: Incoming, own: DoorRow) -> tuple[Note, bool]:
        """Insert a new note and the row of its door, or neither; for a key that has a note, return that and False.

        What the note does not ask for is as its account chose it.
        """
        async with self._database.writing() as connection:
            await lock_account(connection, incoming.account)  # a key is an account's own, so one after the other looks
            if earlier := await _with_key(connection, own):
                return earlier, False
            note = await _insert(connection, incoming)
            of_door = {**own.values, "note_id": note.id, "received_at": note.received_at}
            await connection.execute(own.table.insert().values(of_door))
        return note, True

    async def claim(self, note_id: str, worker: str, *, options: str = "") -> Note | None:
        """Claim the note for `worker`, to be transcribed or, if it has ended, to be delivered.

        None if there is nothing to do: it is gone, settled, or held by a live worker.
        """
        works = notes.c.state.in_((State.QUEUED, State.PROCESSING))
        return await self._change(
            and_(notes.c.id == note_id, UNSETTLED, is_unheld()),
            {
                "state": case((works, State.PROCESSING.value), else_=notes.c.state),
                "started_at": case((works, moment()), else_=notes.c.started_at),
                "options": case((works, options), else_=notes.c.options),
                "fence": notes.c.fence + 1,
                "worker": worker,
                "beat_at": moment(),
            },
        )

    async def owned(self, claims: Collection[Claim]) -> set[Claim]:
        """Return those of the claims that still hold their note, be it to transcribe or to deliver."""
        async with self._database.reading() as connection:
            found = await connection.execute(select(notes.c.id, notes.c.fence).where(_owned(claims)))
            return {(row.id, row.fence) for row in found}

    async def renew(self, claims: Collection[Claim]) -> set[Claim]:
        """Record that the worker that made these claims is alive. Returns those that still hold their note."""
        alive = update(notes).where(_owned(claims)).values(beat_at=moment()).returning(notes.c.id, notes.c.fence)
        async with self._database.writing() as connection:
            return {(row.id, row.fence) for row in await connection.execute(alive)}

    async def begin_attempt(self, note_id: str, fence: int) -> bool:
        """Count a try: work on the audio begins, which may kill the worker. False if the note is no longer its own."""
        begun = {"tries": notes.c.tries + 1, "unfetched_since": None}
        return await self._change(_processed_by(note_id, fence), begun) is not None

    async def release(self, note_id: str, fence: int, *, begun: bool = False) -> bool:
        """Hand the note back, without the try if it was `begun`: the next worker may claim it at once."""
        works = notes.c.state == State.PROCESSING
        values = {
            "state": case((works, State.QUEUED.value), else_=notes.c.state),
            "tries": case((works, notes.c.tries - int(begun)), else_=notes.c.tries),
            "worker": None,
            "beat_at": None,
        }
        held = and_(_fenced(note_id, fence), notes.c.beat_at.is_not(None))
        return await self._change(held, values) is not None

    async def set_digest(self, note_id: str, fence: int, digest: str, *, audio_s: float) -> bool:
        """Store the digest and duration of the decoded audio. False if the note is no longer the caller's.

        Of two that store the same digest, the later one waits for the other's transaction to end, and then sees it.
        """
        async with self._database.writing() as connection:
            await lock_until_end(connection, digest)
            changed = update(notes).where(_processed_by(note_id, fence)).values(digest=digest, audio_s=audio_s)
            return (await connection.execute(changed)).rowcount > 0

    async def finish(  # noqa: PLR0913 - what is known at the end, by name
        self, note_id: str, fence: int, transcript: Transcript, *, engine_s: float, digest: str, recording: str = ""
    ) -> Note | None:
        """Store the transcript, and that artefacts are to be written; `recording` is the extension of one that is kept.

        Renews the claim and returns the note. None if it is no longer the caller's: then nothing was written.
        """
        text = " ".join(segment.text for segment in transcript.segments)
        values = {
            "state": State.DONE.value,
            "finished_at": moment(),
            "beat_at": moment(),
            "audio_s": transcript.duration,
            "engine_s": engine_s,
            "model": transcript.model,
            "digest": digest,
            "preview": text[:PREVIEW_LENGTH],
        }
        return await self._end(_processed_by(note_id, fence), values, transcript=transcript, recording=recording)

    async def fail(self, note_id: str, fence: int, failure: Failure) -> Note | None:
        """Store why there is no transcript; otherwise as `finish`."""
        values = {
            "state": State.FAILED.value,
            "finished_at": moment(),
            "beat_at": moment(),
            "error_code": failure.code,
            "error_params": failure.params,
        }
        return await self._end(_processed_by(note_id, fence), values)

    async def cancel(self, note_id: str) -> bool:
        """End the note without a transcript. False if it had ended already."""
        unfinished = and_(notes.c.id == note_id, notes.c.state.in_((State.QUEUED, State.PROCESSING)))
        values = {"state": State.CANCELLED.value, "finished_at": moment(), "beat_at": None, "worker": None}
        return await self._end(unfinished, values, quiet_s=QUIET_S) is not None

    async def retry(self, note_id: str, request: Mapping[str, Param]) -> Note:
        """Queue a note that has ended once more, as a new run that asks for `request`.

        A note that has not ended is returned unchanged.

        Raises:
            NoteDeleted: there is no such note.
        """
        this = notes.c.id == note_id
        async with self._database.writing() as connection:
            row = (await connection.execute(select(*COLUMNS).where(this).with_for_update())).mappings().one_or_none()
            if row is None:
                raise NoteDeleted
            note = note_from_row(row)
            if not note.state.is_final:
                return note
            await lock_account(connection, note.account)
            values = {
                **_unstarted(moment()),
                "preview": notes.c.preview,  # the earlier transcript stays until there is a new one
                "run": notes.c.run + 1,
                "fence": notes.c.fence + 1,
                "tag": next_tag(note),
                "request": {**request},
            }
            changed = await connection.execute(update(notes).where(this).values(values).returning(*COLUMNS))
            return note_from_row(changed.mappings().one())

    async def mark_delivered(self, note_id: str, fence: int | None = None, *, run: int | None = None) -> Note | None:
        """Record that the sender knows how the note ended; with `fence` or `run`, only if they are still the note's.

        Returns the note; None if nothing was written.
        """
        return await self._settle(_while(note_id, fence, run), {"delivered_at": moment()}, DELIVERED)

    async def mark_undeliverable(
        self, note_id: str, reason: str, fence: int | None = None, *, run: int | None = None
    ) -> Note | None:
        """Record that the sender can never be told, and why; otherwise as `mark_delivered`."""
        return await self._settle(_while(note_id, fence, run), {"undeliverable": reason}, UNDELIVERABLE, reason)

    async def delete(self, note_id: str) -> bool:
        """Delete the note, its transcript and its replies; its artefacts go soon after. False if there was none."""
        async with self._database.writing() as connection:
            is_deleted = (await connection.execute(delete(notes).where(notes.c.id == note_id))).rowcount > 0
            await mark_artefacts_deleted(connection, note_id)
        return is_deleted

    async def fetch_failed(self, note_id: str, fence: int) -> datetime | None:
        """Record that the audio could not be fetched, and return since when. None if the note is not the caller's."""
        since = func.coalesce(notes.c.unfetched_since, moment())
        note = await self._change(_processed_by(note_id, fence), {"unfetched_since": since})
        return None if note is None else note.unfetched_since

    async def _end(
        self,
        which: ColumnElement[bool],
        values: Values,
        *,
        transcript: Transcript | None = None,
        recording: str = "",
        quiet_s: float = 0.0,
    ) -> Note | None:
        """End the run of a note, whose outcome then has to be delivered, in `quiet_s` at the earliest."""
        async with self._database.writing() as connection:
            changed = update(notes).where(which).values(values).returning(*COLUMNS)
            if (ended := (await connection.execute(changed)).mappings().one_or_none()) is None:
                return None
            note = note_from_row(ended)
            if transcript is not None:
                await connection.execute(delete(transcripts).where(transcripts.c.note_id == note.id))
                text = transcript.to_json()
                await connection.execute(transcripts.insert().values(note_id=note.id, transcript=text))
            row = {"note_id": note.id, "run": note.run, "door": note.door, "next_at": moment(ago_s=-quiet_s)}
            await connection.execute(delete(deliveries).where(deliveries.c.note_id == note.id))  # of earlier runs
            await connection.execute(deliveries.insert().values(state=WAITING, attempts=0, **row))
            if transcript is not None:  # last: who counts the notes of a day lets others wait
                await add_artefacts(connection, note.id, note.received_at, self._retention, recording)
        return note

    async def _settle(
        self, who: ColumnElement[bool], how: Values, state: str, reason: str | None = None
    ) -> Note | None:
        unsettled = and_(who, notes.c.state.in_(FINAL), UNSETTLED)
        values = {**how, "beat_at": None, "worker": None}
        async with self._database.writing() as connection:
            changed = await connection.execute(update(notes).where(unsettled).values(values).returning(*COLUMNS))
            if (row := changed.mappings().one_or_none()) is None:
                return None
            note = note_from_row(row)
            this = and_(deliveries.c.note_id == note.id, deliveries.c.run == note.run)
            await connection.execute(update(deliveries).where(this).values(state=state, reason=reason))
        return note

    async def _change(self, condition: ColumnElement[bool], values: Values) -> Note | None:
        async with self._database.writing() as connection:
            changed = await connection.execute(update(notes).where(condition).values(values).returning(*COLUMNS))
            row = changed.mappings().one_or_none()
        return None if row is None else note_from_row(row)


def is_unheld() -> ColumnElement[bool]:
    """Return the condition that no live worker holds a note."""
    return or_(notes.c.beat_at.is_(None), notes.c.beat_at < moment(ago_s=HOLD_S))


def _while(note_id: str, fence: int | None, run: int | None) -> ColumnElement[bool]:
    still = [notes.c[name] == value for name, value in (("fence", fence), ("run", run)) if value is not None]
    return and_(notes.c.id == note_id, *still)


def _fenced(note_id: str, fence: int) -> ColumnElement[bool]:
    return and_(notes.c.id == note_id, notes.c.fence == fence)


def _owned(claims: Collection[Claim]) -> ColumnElement[bool]:
    claimed = or_(false(), *(_fenced(note_id, fence) for note_id, fence in claims))
    return and_(claimed, UNSETTLED, notes.c.beat_at.is_not(None))


def _processed_by(note_id: str, fence: int) -> ColumnElement[bool]:
    return and_(_fenced(note_id, fence), notes.c.state == State.PROCESSING)


async def _with_key(connection: AsyncConnection, own: DoorRow) -> Note | None:
    same = [own.table.c[name] == value for name, value in own.key.items()]
    asked = select(*COLUMNS).join(own.table, own.table.c.note_id == notes.c.id).where(*same)
    row = (await connection.execute(asked)).mappings().one_or_none()
    return None if row is None else note_from_row(row)


async def _insert(connection: AsyncConnection, incoming: Incoming) -> Note:
    chosen = select(settings.c.name, settings.c.value).where(settings.c.account == incoming.account)
    request = {row.name: row.value for row in await connection.execute(chosen)} | {**incoming.request}
    fresh = notes.insert().values({**_fresh(incoming), "request": request}).returning(*COLUMNS)
    return note_from_row((await connection.execute(fresh)).mappings().one())


def _fresh(incoming: Incoming) -> dict[str, object]:
    came = moment()
    return {
        **{name: getattr(incoming, name) for name in Incoming.__slots__},
        **_unstarted(came),
        "id": new_note_id(),
        "is_long": is_long(incoming),
        "tag": next_tag(incoming),
        "received_at": came,
        "fence": 0,
        "run": 0,
    }


def _unstarted(queued_at: Moment) -> dict[str, object]:
    emptied = (
        "options",
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
        "unfetched_since",
    )
    return {**dict.fromkeys(emptied), "state": State.QUEUED.value, "tries": 0, "queued_at": queued_at, "preview": ""}
