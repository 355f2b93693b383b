"""The part of the ledger that knows which files are kept of notes, and what is yet to be done with them.

Whoever does something with a file claims its row first, for longer than that can take. So a tombstone is not forgotten
while a file is still on its way into the store, and what a process that died had claimed comes again.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, delete, func, literal, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from engine import FORMATS, Transcript
from storage.artefacts.artefact import RECORDING, Artefact, Retention
from storage.clock import moment
from storage.database import Database, insert_into
from storage.tables import IS_LIVE, IS_RECORDING, IS_UNWRITTEN_TEXT, artefact_days, artefacts, transcripts

CLAIM_S = 660.0  # longer than putting the largest file may take
LONGEST_PAUSE_S = 300.0
BATCH = 100
FIELDS = (artefacts.c.note_id, artefacts.c.kind, artefacts.c.key, artefacts.c.store, artefacts.c.attempts)
_KEY = tuple_(artefacts.c.note_id, artefacts.c.kind)
_IS_DUE = artefacts.c.next_at <= moment()
_IS_DELETED = artefacts.c.deleted_at.is_not(None)
_IS_EXPIRED = and_(IS_LIVE, artefacts.c.expires_at.is_not(None), artefacts.c.expires_at <= moment())


async def add_artefacts(
    connection: AsyncConnection, note_id: str, received_at: datetime, retention: Retention, recording: str
) -> None:
    """Note, within a transaction, that files of a note that is done are to be stored.

    `recording` is the extension of its recording, empty if none is kept. Files of an earlier run keep their names: its
    texts are written anew, the recording is the same.
    """
    if not (extensions := retention.extensions(recording)):
        return
    name = await _name_of(connection, note_id) or await _next_name(connection, received_at, note_id)
    keep_s = retention.keep_texts_s
    expires_at = None if keep_s is None else moment(ago_s=-keep_s)
    common = {"note_id": note_id, "store": "", "created_at": moment(), "attempts": 0, "next_at": moment()}
    rows = [
        {**common, "kind": kind, "key": f"{name}.{extension}", "expires_at": None if kind == RECORDING else expires_at}
        for kind, extension in extensions.items()
    ]
    adding = insert_into(connection, artefacts).values(rows)
    is_stored = and_(IS_RECORDING, IS_LIVE)
    changed: dict[str, Any] = {
        "stored_at": case((is_stored, artefacts.c.stored_at), else_=None),
        "created_at": adding.excluded.created_at,
        "expires_at": adding.excluded.expires_at,
        "deleted_at": None,
    }
    await connection.execute(adding.on_conflict_do_update(index_elements=["note_id", "kind"], set_=changed))


async def mark_artefacts_deleted(connection: AsyncConnection, note_id: str) -> None:
    """Mark all files of a note, within the transaction that deletes it, as yet to be deleted."""
    of_note = and_(artefacts.c.note_id == note_id, IS_LIVE)
    await connection.execute(update(artefacts).where(of_note).values(deleted_at=moment()))


async def _name_of(connection: AsyncConnection, note_id: str) -> str:
    key = await connection.execute(select(artefacts.c.key).where(artefacts.c.note_id == note_id).limit(1))
    return str(key.scalar_one_or_none() or "").rpartition(".")[0]


async def _next_name(connection: AsyncConnection, received_at: datetime, note_id: str) -> str:
    day = received_at.astimezone(UTC).date().isoformat()
    counting = insert_into(connection, artefact_days).values(day=day, notes=1)
    one_more = counting.on_conflict_do_update(index_elements=["day"], set_={"notes": artefact_days.c.notes + 1})
    number = (await connection.execute(one_more.returning(artefact_days.c.notes))).scalar_one()
    return f"{day}_{number:03}_{note_id}"


class ArtefactRows:
    """The part of the ledger that keeps account of artefacts."""

    def __init__(self, database: Database) -> None:
        """Keep account in `database`."""
        self._database = database

    async def has_artefact_work(self, stores: Sequence[str], max_recordings: int) -> bool:
        """Return whether anything is to be written to the first of these stores, or to be deleted from any."""
        texts = select(literal(1)).where(_unwritten(stores[0])).limit(1)
        deleted = select(literal(1)).where(_deleted(stores)).limit(1)
        expired = select(literal(1)).where(_IS_EXPIRED).limit(1)
        asked = [texts, deleted, expired, _surplus(max_recordings).limit(1)]
        found = or_(*(one.exists() for one in asked))
        async with self._database.reading() as connection:
            return bool((await connection.execute(select(case((found, 1), else_=0)))).scalar_one())

    async def claim_unwritten(self, store: str) -> list[Artefact]:
        """Claim texts that are to be put into the store."""
        return await self._claim(_unwritten(store), store=store)

    async def claim_recordings(self, store: str, note_ids: Sequence[str]) -> list[Artefact]:
        """Claim the recordings of these notes that are to be put into the store."""
        unwritten = and_(IS_RECORDING, IS_LIVE, artefacts.c.stored_at.is_(None), _in_stores([store]), _IS_DUE)
        return await self._claim(and_(artefacts.c.note_id.in_(note_ids), unwritten), store=store)

    async def claim_deleted(self, stores: Sequence[str]) -> list[Artefact]:
        """Claim files that are to be deleted from these stores."""
        return await self._claim(_deleted(stores))

    async def awaited_recordings(self, store: str, note_ids: Iterable[str]) -> set[str]:
        """Return those of the notes whose recording is not in the store yet, and should be."""
        awaited = and_(IS_RECORDING, IS_LIVE, artefacts.c.stored_at.is_(None), _in_stores([store]))
        asked = select(artefacts.c.note_id).where(artefacts.c.note_id.in_(note_ids), awaited)
        async with self._database.reading() as connection:
            return {*(await connection.execute(asked)).scalars()}

    async def transcripts_of(self, note_ids: Iterable[str]) -> dict[str, Transcript]:
        """Return the transcripts of those of the notes that have one."""
        asked = select(transcripts).where(transcripts.c.note_id.in_(note_ids))
        async with self._database.reading() as connection:
            return {row.note_id: Transcript.from_json(row.transcript) for row in await connection.execute(asked)}

    async def stored_recording(self, note_id: str, max_bytes: int) -> Artefact | None:
        """Return the recording of the note if it is in a store, and not larger than `max_bytes`."""
        stored = and_(IS_RECORDING, IS_LIVE, artefacts.c.stored_at.is_not(None), artefacts.c.bytes <= max_bytes)
        async with self._database.reading() as connection:
            found = await connection.execute(select(*FIELDS).where(artefacts.c.note_id == note_id, stored))
            row = found.mappings().one_or_none()
        return None if row is None else Artefact(**row)

    async def mark_stored(self, stored: Mapping[Artefact, tuple[int, str]]) -> list[Artefact]:
        """Record that files are in the store, with their bytes and SHA-256; those deleted meanwhile are due at once.

        Returns the files that the ledger knows no more: whoever has put them there deletes them.
        """
        if not stored:
            return []
        unknown = []
        async with self._database.writing() as connection:
            for artefact, (size, sha256) in stored.items():
                values = {"bytes": size, "sha256": sha256, "stored_at": moment(), "next_at": moment()}
                changed = update(artefacts).where(_held(artefact)).values(values)
                if not (await connection.execute(changed)).rowcount and not await _is_known(connection, artefact):
                    unknown.append(artefact)
        return unknown

    async def postpone_artefacts(self, claimed: Sequence[Artefact], *, are_nowhere: bool = False) -> None:
        """Let go of files with which nothing could be done: they are due again after a pause that grows.

        With `are_nowhere`, new ones cannot be in the store that was tried: another one may take them.
        """
        if not claimed:
            return
        where = artefacts.c.store
        store = case((artefacts.c.bytes.is_(None), ""), else_=where) if are_nowhere else where
        async with self._database.writing() as connection:
            for artefact in claimed:
                pause_s = min(LONGEST_PAUSE_S, 2.0 ** min(artefact.attempts, 16))
                again_at = case((_IS_DELETED, moment()), else_=moment(ago_s=-pause_s))
                values = {"next_at": again_at, "store": store}
                await connection.execute(update(artefacts).where(_held(artefact)).values(values))

    async def forget_artefacts(self, deleted: Sequence[Artefact]) -> None:
        """Delete the rows of files that have been deleted from their store."""
        if not deleted:
            return
        async with self._database.writing() as connection:
            for artefact in deleted:
                await connection.execute(delete(artefacts).where(_held(artefact), _IS_DELETED))

    async def expire_artefacts(self, max_recordings: int) -> int:
        """Mark texts whose time is over, and recordings beyond the newest `max_recordings`, as yet to be deleted.

        Returns how many, up to two batches.
        """
        expired = select(artefacts.c.note_id, artefacts.c.kind).where(_IS_EXPIRED)
        marked = 0
        async with self._database.writing() as connection:
            for chosen in (expired, _surplus(max_recordings)):
                found = select(artefacts.c.note_id, artefacts.c.kind).where(_KEY.in_(chosen.limit(BATCH)), IS_LIVE)
                locked = found.with_for_update(skip_locked=True)
                changed = update(artefacts).where(_KEY.in_(locked)).values(deleted_at=moment())
                marked += (await connection.execute(changed)).rowcount
        return marked

    async def _claim(self, which: ColumnElement[bool], **values: str) -> list[Artefact]:
        chosen = select(artefacts.c.note_id, artefacts.c.kind).where(which).limit(BATCH)
        claimed = {"attempts": artefacts.c.attempts + 1, "next_at": moment(ago_s=-CLAIM_S), **values}
        changed = update(artefacts).where(_KEY.in_(chosen.with_for_update(skip_locked=True))).values(claimed)
        async with self._database.writing() as connection:
            rows = await connection.execute(changed.returning(*FIELDS))
            return [Artefact(**row) for row in rows.mappings()]


def _in_stores(stores: Sequence[str]) -> ColumnElement[bool]:
    return artefacts.c.store.in_(["", *stores])


def _unwritten(store: str) -> ColumnElement[bool]:
    return and_(IS_UNWRITTEN_TEXT, artefacts.c.kind.in_(FORMATS), _in_stores([store]), _IS_DUE)


def _deleted(stores: Sequence[str]) -> ColumnElement[bool]:
    return and_(_IS_DELETED, _in_stores(stores), _IS_DUE)


def _surplus(max_recordings: int) -> Any:  # noqa: ANN401 - SQLAlchemy's own type names each column
    """Select the recordings beyond the newest ones."""
    newest_first = (artefacts.c.created_at.desc(), artefacts.c.note_id.desc())
    recordings = select(artefacts.c.note_id, artefacts.c.kind).where(IS_RECORDING, IS_LIVE)
    return recordings.order_by(*newest_first).offset(max_recordings)


def _held(artefact: Artefact) -> ColumnElement[bool]:
    return and_(
        artefacts.c.note_id == artefact.note_id,
        artefacts.c.kind == artefact.kind,
        artefacts.c.attempts == artefact.attempts,
    )


async def _is_known(connection: AsyncConnection, artefact: Artefact) -> bool:
    same = and_(artefacts.c.note_id == artefact.note_id, artefacts.c.kind == artefact.kind)
    return (await connection.execute(select(func.count()).select_from(artefacts).where(same))).scalar_one() > 0
