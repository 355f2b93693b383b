"""Injects the faults of a plan into a deployment: kills, freezes, outages.

A note that was being worked on in three deaths of workers is given up as poison: that is the product's rule. So no
worker is killed or frozen while it holds a note that has been begun twice before; another one is, or the same a little
later. To be sure of that a worker is stopped first; then the ledger is asked what it holds.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic
from urllib.parse import urlsplit

from sqlalchemy import text

from storage.errors import DatabaseFault
from tests.chaos.deployment import PAUSE_S, Deployment, Service
from tests.chaos.ledger_leases import Lease, LedgerLeases, TakeOvers
from tests.chaos.plan import Fault, Kind

TOO_OFTEN = 2
BUSY_S = 5.0  # so long a worker is looked for that works on something
CHANCE_S = 120.0  # so long somebody is waited for who may be killed
LOOK_S = 0.1
REDELIVERED = 5


@dataclass(slots=True)
class FaultInjector:
    """Knows for every kind of fault how it is done."""

    deployment: Deployment
    ledger_leases: LedgerLeases
    take_overs: TakeOvers
    dice: random.Random
    _processes: asyncio.Lock = field(default_factory=asyncio.Lock)
    _telegram: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def do(self, fault: Fault) -> None:
        """Let `fault` happen, and end when it is over."""
        match fault.kind:
            case Kind.KILL_WORKER:
                await self._kill_worker()
            case Kind.FREEZE_WORKER:
                await self._freeze_worker(fault.lasts_s)
            case Kind.KILL_BOT:
                await self._kill_bot()
            case Kind.KILL_ALL:
                await self._kill_all()
            case Kind.DEPLOY:
                await self._deploy()
            case Kind.LOCK_DATABASE:
                await self._lock_database(fault.lasts_s)
            case Kind.KILL_REDIS | Kind.FREEZE_REDIS | Kind.FLUSH_REDIS:
                await self._disturb_redis(fault)
            case _:
                await self._disturb_telegram(fault)

    async def _kill_worker(self) -> None:
        async with self._one_stopped() as worker:
            worker.kill()

    async def _kill_bot(self) -> None:
        await self.deployment.bot.until_ready()
        self.deployment.bot.kill()

    async def _freeze_worker(self, seconds: float) -> None:
        async with self._one_stopped() as worker:
            pass
        await asyncio.sleep(seconds)
        worker.wake()

    async def _kill_all(self) -> None:
        """Kill every process at the same moment."""
        async with self._processes, asyncio.timeout(CHANCE_S):
            held = await self._stopped_all()
            for service in self.deployment.services:
                service.kill()
            self.take_overs.begin(held)
        await self.deployment.kill_redis(self._pause_s())

    async def _deploy(self) -> None:
        """Let everybody end in good order; new ones are started as always."""
        await self.deployment.bot.until_ready()
        async with self._processes:
            await self.deployment.terminate()

    @asynccontextmanager
    async def _one_stopped(self) -> AsyncIterator[Service]:
        """Stop a worker that works on something, if there is one, and nobody else may touch it meanwhile."""
        busy_until = monotonic() + BUSY_S
        async with self._processes, asyncio.timeout(CHANCE_S):
            while True:
                for worker in self._in_any_order():
                    held = await self._stopped([worker], only_busy=monotonic() < busy_until)
                    if held is not None:
                        self.take_overs.begin(held)
                        yield worker
                        return
                await asyncio.sleep(LOOK_S)

    def _in_any_order(self) -> list[Service]:
        ready = [worker for worker in self.deployment.workers if worker.is_ready]
        return self.dice.sample(ready, len(ready))

    async def _stopped_all(self) -> list[Lease]:
        while True:
            ready = self._in_any_order()
            held = await self._stopped(ready, only_busy=False)
            if ready and held is not None:
                return held
            await asyncio.sleep(LOOK_S)

    async def _stopped(self, workers: Sequence[Service], *, only_busy: bool) -> list[Lease] | None:
        """Stop the workers and give what they hold; None, and they go on, when that has been begun too often."""
        for worker in workers:
            worker.stop()
        with suppress(DatabaseFault):  # one may have been stopped in the middle of writing: nobody can look then
            held = await self.ledger_leases.of([worker.pid for worker in workers])
            if all(note.tries < TOO_OFTEN for note in held) and (held or not only_busy):
                return held
        for worker in workers:
            worker.wake()
        return None

    async def _lock_database(self, seconds: float) -> None:
        """Hold the lock that every writer needs. SQLite in WAL mode knows no stricter one for its users."""
        with suppress(DatabaseFault):  # a frozen worker may hold it already
            await self._hold_lock(seconds)

    async def _hold_lock(self, seconds: float) -> None:
        async with self.ledger_leases.database.writing() as connection:
            if connection.dialect.name == "postgresql":
                await connection.execute(text("LOCK TABLE notes"))
            await asyncio.sleep(seconds)

    async def _disturb_redis(self, fault: Fault) -> None:
        match fault.kind:
            case Kind.FLUSH_REDIS:
                await self.deployment.flush_redis()
            case Kind.FREEZE_REDIS:
                await self.deployment.freeze_redis(fault.lasts_s)
            case _:
                await self.deployment.kill_redis(self._pause_s())

    async def _disturb_telegram(self, fault: Fault) -> None:
        playground = self.deployment.place.playground
        match fault.kind:
            case Kind.REDELIVER:
                playground.redeliver(REDELIVERED)
            case Kind.UNREADABLE:
                playground.send_malformed_update()
            case Kind.FREEZE_TELEGRAM:
                playground.pause()
                await asyncio.sleep(fault.lasts_s)
                playground.resume()
            case _:
                await self._unplug_telegram(fault.lasts_s)

    async def _unplug_telegram(self, seconds: float) -> None:
        """Refuse every connection, and come back at the same address."""
        playground = self.deployment.place.playground
        async with self._telegram:
            port = urlsplit(playground.url).port or 0
            await playground.stop()
            await asyncio.sleep(seconds)
            await playground.start(port)

    def _pause_s(self) -> float:
        return self.dice.uniform(*PAUSE_S)
