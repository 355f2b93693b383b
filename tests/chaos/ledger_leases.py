"""Reads from the ledger which process holds which note; measures how long a dead worker's note waits."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic

from sqlalchemy import text

from storage.database import Database
from storage.errors import DatabaseFault

LOOK_S = 0.1
UNDELIVERED = text("SELECT id, worker, fence, tries, beat_at FROM notes WHERE delivered_at IS NULL")


@dataclass(frozen=True, slots=True)
class Lease:
    """An undelivered note: its fence, how many workers have died with it, and the process that holds it."""

    note_id: str
    fence: int
    tries: int
    pid: int | None


@dataclass(slots=True)
class LedgerLeases:
    """Reads the ledger, beside the product's own code."""

    database: Database

    async def all(self) -> list[Lease]:
        """Give what is not answered yet."""
        async with self.database.reading() as connection:
            rows = (await connection.execute(UNDELIVERED)).all()
        return [Lease(row.id, row.fence, row.tries, _pid(row.worker, held=row.beat_at is not None)) for row in rows]

    async def of(self, pids: Sequence[int]) -> list[Lease]:
        """Give what these processes hold."""
        return [holding for holding in await self.all() if holding.pid in pids]


def _pid(worker: str | None, *, held: bool) -> int | None:
    """Read the process id in the name of a worker, which ends with it and a few random letters."""
    parts = (worker or "").rsplit("-", 2)
    return int(parts[1]) if held and len(parts) == 3 else None


@dataclass(frozen=True, slots=True)
class TakeOver:
    """A note whose worker died, and the seconds until another claimed it or it was delivered."""

    note_id: str
    seconds: float


@dataclass(slots=True)
class TakeOvers:
    """Measures how long what a dead worker held waits for another."""

    ledger_leases: LedgerLeases
    measured: list[TakeOver] = field(default_factory=list)
    _waiting: dict[str, tuple[int, float]] = field(default_factory=dict)

    def begin(self, held: Sequence[Lease]) -> None:
        """Start the clock for what a worker held that was just killed or frozen."""
        for holding in held:
            self._waiting.setdefault(holding.note_id, (holding.fence, monotonic()))

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            with contextlib.suppress(DatabaseFault):
                await self._look()
            await asyncio.sleep(LOOK_S)

    async def _look(self) -> None:
        if not self._waiting:
            return
        fences = {holding.note_id: holding.fence for holding in await self.ledger_leases.all()}
        for note_id, (fence, since) in list(self._waiting.items()):
            if fences.get(note_id, fence + 1) > fence:
                self.measured.append(TakeOver(note_id, monotonic() - since))
                del self._waiting[note_id]
