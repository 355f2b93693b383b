"""Records what has yet to be delivered: when the next attempt is due, how many failed, and why the last one did."""

from sqlalchemy import and_, literal, select, update

from storage.clock import moment
from storage.database import Database, insert_into
from storage.note import FINAL, Note
from storage.rows import COLUMNS, note_from_row
from storage.states import WAITING, is_unheld
from storage.tables import UNSETTLED, deliveries, notes

ADOPTED = ("note_id", "run", "door", "state", "attempts", "next_at")
_THIS_RUN = and_(deliveries.c.note_id == notes.c.id, deliveries.c.run == notes.c.run)


class Deliveries:
    """The part of the ledger that knows what has yet to be delivered."""

    def __init__(self, database: Database) -> None:
        """Keep deliveries in `database`."""
        self._database = database

    async def due_deliveries(self, door: str, limit: int) -> list[str]:
        """Return the ids of a door's notes whose delivery is due and that nobody holds, the longest due first."""
        due = and_(deliveries.c.door == door, deliveries.c.state == WAITING, deliveries.c.next_at <= moment())
        asked = select(notes.c.id).join(deliveries, _THIS_RUN).where(due, UNSETTLED, is_unheld())
        async with self._database.reading() as connection:
            return [*(await connection.execute(asked.order_by(deliveries.c.next_at).limit(limit))).scalars()]

    async def claim_delivery(self, note_id: str, worker: str) -> Note | None:
        """Claim a note that has ended, to be delivered by `worker`. None if it is gone, settled, or held."""
        ended = and_(notes.c.id == note_id, notes.c.state.in_(FINAL), UNSETTLED, is_unheld())
        claimed = {"fence": notes.c.fence + 1, "worker": worker, "beat_at": moment()}
        async with self._database.writing() as connection:
            changed = await connection.execute(update(notes).where(ended).values(claimed).returning(*COLUMNS))
            row = changed.mappings().one_or_none()
        return None if row is None else note_from_row(row)

    async def delivery_attempts(self, note: Note) -> int:
        """Return how many attempts to deliver this run of the note have failed."""
        asked = select(deliveries.c.attempts).where(deliveries.c.note_id == note.id, deliveries.c.run == note.run)
        async with self._database.reading() as connection:
            return (await connection.execute(asked)).scalar_one_or_none() or 0

    async def postpone_delivery(self, note: Note, after_s: float, reason: str) -> bool:
        """Count a failed attempt, let go of the note, and let the next attempt be due in `after_s` seconds.

        False, with nothing written, if the note is no longer held with its fence.
        """
        held = and_(notes.c.id == note.id, notes.c.fence == note.fence, UNSETTLED, notes.c.beat_at.is_not(None))
        this = and_(deliveries.c.note_id == note.id, deliveries.c.run == note.run)
        next_at = moment(ago_s=-after_s)
        async with self._database.writing() as connection:
            if (await connection.execute(update(notes).where(held).values(beat_at=None, worker=None))).rowcount == 0:
                return False
            failed = update(deliveries).where(this)
            await connection.execute(failed.values(attempts=deliveries.c.attempts + 1, next_at=next_at, reason=reason))
        return True

    async def adopt_deliveries(self) -> None:
        """Let what ended without a row here, under an older version, be due at once."""
        without = and_(notes.c.state.in_(FINAL), UNSETTLED, ~select(deliveries.c.run).where(_THIS_RUN).exists())
        rows = select(notes.c.id, notes.c.run, notes.c.door, literal(WAITING), literal(0), moment()).where(without)
        async with self._database.writing() as connection:
            adopted = insert_into(connection, deliveries).from_select([*ADOPTED], rows)
            await connection.execute(adopted.on_conflict_do_nothing())
