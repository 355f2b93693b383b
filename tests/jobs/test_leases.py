"""A worker's right to a note, without a queue: how it is renewed, watched, and lost."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from jobs import leases
from jobs.leases import Lease, LeaseLost
from storage.errors import DatabaseBusy
from storage.ledger import Ledger
from storage.note import Note
from storage.states import HOLD_S
from tests.jobs.conftest import Arrivals, renew, until

OFTEN_S = 0.01


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "RENEW_S", OFTEN_S)
    monkeypatch.setattr(leases, "WATCH_S", OFTEN_S)


@pytest.fixture
async def note(ledger: Ledger, arrivals: Arrivals) -> Note:
    note = await ledger.claim((await arrivals.note()).id, "worker-a")
    assert note is not None
    return note


class Calls:
    """Counts its calls; `instead` is done in them, if it is set."""

    def __init__(self, instead: Callable[[], Awaitable[object]] | None = None) -> None:
        self.count = 0
        self.fences: set[tuple[str, int]] = set()
        self._instead = instead

    async def __call__(self, *held: str | int) -> bool:
        self.count += 1
        if held:
            self.fences.add((str(held[0]), int(held[1])))
        if self._instead:
            await self._instead()
        return True


async def hangs() -> None:
    await asyncio.Event().wait()


async def is_busy() -> None:
    raise DatabaseBusy(where="x")


async def test_a_note_at_hand_is_renewed_in_redis_and_in_the_ledger_until_its_end(
    ledger: Ledger, note: Note, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_redis, in_ledger = Calls(), Calls()
    monkeypatch.setattr(ledger, "heartbeat", in_ledger)
    async with Lease(ledger, note, in_redis).renewed():
        await until(lambda: in_redis.count > 2 and in_ledger.count > 2)
    ended = in_redis.count, in_ledger.count
    assert in_ledger.fences == {(note.id, note.fence)}
    await asyncio.sleep(5 * OFTEN_S)
    assert (in_redis.count, in_ledger.count) == ended


async def test_a_silent_redis_does_not_hold_up_the_ledger_and_is_asked_again(
    ledger: Ledger, note: Note, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "REDIS_TIMEOUT_S", OFTEN_S)
    in_redis, in_ledger = Calls(hangs), Calls()
    monkeypatch.setattr(ledger, "heartbeat", in_ledger)
    async with Lease(ledger, note, in_redis).renewed():
        await until(lambda: in_redis.count > 2 and in_ledger.count > 2)


async def test_a_locked_database_does_not_cost_the_lease_in_redis(
    ledger: Ledger, note: Note, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_redis, in_ledger = Calls(), Calls(is_busy)
    monkeypatch.setattr(ledger, "heartbeat", in_ledger)
    lease = Lease(ledger, note, in_redis)
    async with lease.renewed():
        await until(lambda: in_redis.count > 2 and in_ledger.count > 2)
    assert not lease.lost.is_set()


@pytest.mark.parametrize("how", ["cancel", "delete"])
async def test_a_lease_whose_note_is_cancelled_or_deleted_is_known_to_be_lost(
    how: str, ledger: Ledger, note: Note
) -> None:
    lease = Lease(ledger, note, renew)
    async with lease.renewed():
        await (ledger.cancel(note.id) if how == "cancel" else ledger.delete(note.id))
        await until(lease.lost.is_set)


async def test_before_anything_is_told_the_ledger_is_asked_whose_the_note_is(ledger: Ledger, note: Note) -> None:
    lease = Lease(ledger, note, renew)
    await lease.verify()
    await ledger.release(note.id, note.fence)
    assert await ledger.claim(note.id, "worker-b") is not None
    with pytest.raises(LeaseLost):
        await lease.verify()
    assert lease.lost.is_set()


async def test_a_lease_that_was_lost_stays_lost(ledger: Ledger, note: Note) -> None:
    lease = Lease(ledger, note, renew)
    lease.lost.set()
    with pytest.raises(LeaseLost):
        await lease.verify()


async def test_work_is_dropped_when_the_lease_is_lost_and_else_gives_its_result(ledger: Ledger, note: Note) -> None:
    lease = Lease(ledger, note, renew)
    assert await lease.unless_lost(asyncio.sleep(0, "done")) == "done"
    dropped = asyncio.Event()

    async def works() -> None:
        try:
            await hangs()
        finally:
            dropped.set()

    working = asyncio.create_task(lease.unless_lost(works()))
    await asyncio.sleep(0)
    lease.lost.set()
    with pytest.raises(LeaseLost):
        await working
    assert dropped.is_set()


def test_a_dead_worker_s_note_is_free_well_within_what_is_promised() -> None:
    assert HOLD_S < leases.LEASE_S < 15 - 2 * 1.0  # a second to pick it, and one for clocks that differ
