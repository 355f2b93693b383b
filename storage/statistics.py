"""Statistics over the notes: counts, speed, audio and engine time."""

from dataclasses import dataclass
from statistics import median

from sqlalchemy import Label, RowMapping, Table, func, select

from storage.clock import moment
from storage.database import Database
from storage.note import State, Stats
from storage.tables import IS_MEASURED, IS_QUEUED, door_totals, notes, usage

MEASURED_NOTES = 50


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast the last notes were transcribed, and how many at the same time.

    `rtf` is the median of processing seconds per second of audio, None before there are any notes; `concurrency` is how
    many were processed at the same time on average, 1 before there are any.
    """

    rtf: float | None
    concurrency: float


class Statistics:
    """The part of the ledger that counts and measures notes."""

    def __init__(self, database: Database) -> None:
        """Count in `database`."""
        self._database = database

    async def counts_by_state(self) -> dict[State, int]:
        """Return how many notes are in each state."""
        async with self._database.reading() as connection:
            totals = (await connection.execute(select(*_sums(door_totals)))).mappings().one()
        return _by_state(totals)

    async def unfinished_by_door(self) -> dict[str, int]:
        """Return how many notes of each door have not ended."""
        unfinished = func.sum(door_totals.c.queued + door_totals.c.processing)
        asked = select(door_totals.c.door, unfinished.label("notes")).group_by(door_totals.c.door)
        async with self._database.reading() as connection:
            return {row.door: int(row.notes) for row in await connection.execute(asked) if row.notes}

    async def speed(self) -> Speed:
        """Measure the last notes."""
        asked = (
            select(notes.c.finished_at, notes.c.engine_s, notes.c.audio_s)
            .where(IS_MEASURED)
            .order_by(notes.c.finished_at.desc())
            .limit(MEASURED_NOTES)
        )
        async with self._database.reading() as connection:
            ended = (await connection.execute(asked)).all()
        measured = [row.engine_s / row.audio_s for row in ended if row.audio_s]
        ages = [((ended[0].finished_at - row.finished_at).total_seconds(), row.engine_s) for row in ended]
        spans = [(age_s, age_s + engine_s) for age_s, engine_s in ages]
        return Speed(
            rtf=median(measured) if measured else None,
            concurrency=sum(row.engine_s for row in ended) / _covered_s(spans) if ended else 1.0,
        )

    async def oldest_wait_s(self) -> float:
        """Return for how long the note that waits longest has been waiting, in seconds; 0 if none waits."""
        asked = select(func.min(notes.c.queued_at), moment()).where(IS_QUEUED)
        async with self._database.reading() as connection:
            oldest, now = (await connection.execute(asked)).one()
        return 0.0 if oldest is None else max(0.0, (now - oldest).total_seconds())

    async def stats(self, door: str, account: str | None = None) -> Stats:
        """Return the totals of a door for one account, or for all."""
        if account is None:
            asked = select(*_sums(door_totals)).where(door_totals.c.door == door)
        else:
            asked = select(*_sums(usage)).where(usage.c.door == door, usage.c.account == account)
        async with self._database.reading() as connection:
            totals = (await connection.execute(asked)).mappings().one()
        return Stats(
            counts=_by_state(totals),
            audio_s=totals["audio_ms"] / 1000,
            engine_s=totals["engine_ms"] / 1000,
            accounts=int(totals["accounts"]),
        )


def _sums(table: Table) -> list[Label[int]]:
    """Return the sums of a table of totals; in that of accounts, each row is one."""
    names = [*State, "audio_ms", "engine_ms"]
    accounts = func.coalesce(func.sum(table.c.accounts), 0) if "accounts" in table.c else func.count()
    return [*(func.coalesce(func.sum(table.c[name]), 0).label(name) for name in names), accounts.label("accounts")]


def _by_state(totals: RowMapping) -> dict[State, int]:
    return {state: int(totals[state]) for state in State}


def _covered_s(spans: list[tuple[float, float]]) -> float:
    """Return the length of the union of these spans, in seconds."""
    covered_s, until = 0.0, 0.0
    for begin, end in sorted(spans):
        covered_s += max(0.0, end - max(begin, until))
        until = max(until, end)
    return covered_s
