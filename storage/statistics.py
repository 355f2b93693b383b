"""Statistics over the notes: counts, speed, audio and engine time."""

from collections.abc import Sequence
from datetime import datetime
from statistics import median

from sqlalchemy import ColumnElement, func, select

from storage.database import Database
from storage.note import Note, State, Stats
from storage.rows import now
from storage.states import UNSETTLED
from storage.tables import notes

DEFAULT_AUDIO_S = 20.0  # for a note whose duration is not known yet
MEASURED_NOTES = 50

SECONDS = func.coalesce(notes.c.audio_s, notes.c.claimed_s, DEFAULT_AUDIO_S)


class Statistics:
    """The part of the ledger that counts and measures notes."""

    def __init__(self, database: Database) -> None:
        """Count in `database`."""
        self._database = database

    async def counts_by_state(self) -> dict[State, int]:
        """Return how many notes are in each state."""
        return await self._counts()

    async def median_rtf(self) -> float | None:
        """Return the median RTF (processing seconds per second of audio) of the last notes; None if there are none."""
        asked = (
            select(notes.c.engine_s / notes.c.audio_s)
            .where(notes.c.state == State.DONE, notes.c.engine_s > 0, notes.c.audio_s > 0)
            .order_by(notes.c.finished_at.desc())
            .limit(MEASURED_NOTES)
        )
        async with self._database.reading() as connection:
            measured = [float(rtf) for rtf in (await connection.execute(asked)).scalars()]
        return median(measured) if measured else None

    async def average_concurrency(self) -> float:
        """Return how many of the last notes were processed at the same time, on average; 1 before there are any."""
        asked = (
            select(notes.c.finished_at, notes.c.engine_s)
            .where(notes.c.state == State.DONE, notes.c.engine_s > 0)
            .order_by(notes.c.finished_at.desc())
            .limit(MEASURED_NOTES)
        )
        async with self._database.reading() as connection:
            ended = (await connection.execute(asked)).all()
        ages = [((ended[0].finished_at - row.finished_at).total_seconds(), row.engine_s) for row in ended]
        spans = [(age_s, age_s + engine_s) for age_s, engine_s in ages]
        return sum(row.engine_s for row in ended) / _covered_s(spans) if ended else 1.0

    async def total_audio_s(self, note_ids: Sequence[str]) -> float:
        """Return the seconds of audio of these notes together, as far as is known."""
        asked = select(func.coalesce(func.sum(SECONDS), 0.0)).where(notes.c.id.in_(note_ids))
        async with self._database.reading() as connection:
            return float((await connection.execute(asked)).scalar_one())

    async def unfinished_before(self, note: Note) -> int:
        """Return how many notes of the same chat were queued earlier and are not finished."""
        asked = select(func.count()).where(
            UNSETTLED,
            notes.c.bot_id == note.bot_id,
            notes.c.chat_id == note.chat_id,
            notes.c.state.in_((State.QUEUED, State.PROCESSING)),
            notes.c.queued_at < note.queued_at,
        )
        async with self._database.reading() as connection:
            return (await connection.execute(asked)).scalar_one()

    async def oldest_wait_s(self) -> float:
        """Return for how long the note that waits longest has been waiting, in seconds; 0 if none waits."""
        asked = select(func.min(notes.c.queued_at)).where(notes.c.state == State.QUEUED)
        async with self._database.reading() as connection:
            oldest: datetime | None = (await connection.execute(asked)).scalar_one()
        return 0.0 if oldest is None else max(0.0, (now() - oldest).total_seconds())

    async def stats(self, bot_id: int, user_id: int | None = None) -> Stats:
        """Return the totals for one person, or for everybody."""
        whose = [notes.c.bot_id == bot_id, *([] if user_id is None else [notes.c.user_id == user_id])]
        done = [*whose, notes.c.state == State.DONE]
        sums = select(func.coalesce(func.sum(notes.c.audio_s), 0.0), func.coalesce(func.sum(notes.c.engine_s), 0.0))
        people = select(func.count(notes.c.user_id.distinct())).where(*whose)
        async with self._database.reading() as connection:
            audio_s, engine_s = (await connection.execute(sums.where(*done))).one()
            users = (await connection.execute(people)).scalar_one()
        return Stats(counts=await self._counts(*whose), audio_s=audio_s, engine_s=engine_s, users=users)

    async def _counts(self, *conditions: ColumnElement[bool]) -> dict[State, int]:
        asked = select(notes.c.state, func.count()).where(*conditions).group_by(notes.c.state)
        async with self._database.reading() as connection:
            found = {State(state): count for state, count in await connection.execute(asked)}
        return {state: found.get(state, 0) for state in State}


def _covered_s(spans: list[tuple[float, float]]) -> float:
    """Return the length of the union of these spans, in seconds."""
    covered_s, until = 0.0, 0.0
    for begin, end in sorted(spans):
        covered_s += max(0.0, end - max(begin, until))
        until = max(until, end)
    return covered_s
