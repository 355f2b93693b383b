"""A process's leases on notes in the ledger: how they are renewed, watched, and lost."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection
from time import monotonic

import pytest

from jobs import leases
from jobs.leases import LeaseLost, Leases
from storage.errors import DatabaseBusy
from storage.note import Note
from storage.states import HOLD_S, Claim
from storage.telegram.ledger import TelegramLedger
from tests.jobs.conftest import Arrivals, until
from tests.storage.transactions import Transactions

OFTEN_S = 0.01


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "RENEW_S", OFTEN_S)
    monkeypatch.setattr(leases, "WATCH_S", OFTEN_S)


@pytest.fixture
def held(ledger: TelegramLedger) -> Leases:
    return Leases(ledger)


@pytest.fixture
async def note(ledger: TelegramLedger, arrivals: Arrivals) -> Note:
    return await claimed(ledger, arrivals)


async def claimed(ledger: TelegramLedger, arrivals: Arrivals) -> Note:
    note = await ledger.claim((await arrivals.note()).id, "worker-a")
    assert note is not None
    return note


class Renewals:
    """Stands where the ledger renews: keeps what each call names; `instead` is done in it, if it is set."""

    def __init__(self, instead: Callable[[], Awaitable[object]] | None = None) -> None:
        self.calls: list[set[Claim]] = []
        self._instead = instead

    async def __call__(self, claims: Collection[Claim]) -> set[Claim]:
        self.calls.append(set(claims))
        if self._instead:
            await self._instead()
        return set(claims)


async def hangs() -> None:
    await asyncio.Event().wait()


async def is_busy() -> None:
    raise DatabaseBusy(where="x")


async def test_one_heartbeat_renews_all_notes_at_hand_until_their_end(
    ledger: TelegramLedger, held: Leases, note: Note, arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await claimed(ledger, arrivals)
    renewals = Renewals()
    monkeypatch.setattr(ledger, "renew", renewals)
    first, second = (note.id, note.fence), (other.id, other.fence)
    async with held.hold(note, monotonic()):
        async with held.hold(other, monotonic()):
            await until(lambda: renewals.calls.count({first, second}) > 2)
        before = len(renewals.calls)
        await until(lambda: len(renewals.calls) > before + 2)
        assert renewals.calls[-1] == {first}
    ended = len(renewals.calls)
    await asyncio.sleep(5 * OFTEN_S)
    assert len(renewals.calls) == ended


async def test_a_note_that_takes_less_than_a_second_costs_no_heartbeat(
    ledger: TelegramLedger, held: Leases, note: Note, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Renewals()
    monkeypatch.setattr(leases, "RENEW_S", 3.0)
    monkeypatch.setattr(leases, "WATCH_S", 1.0)
    for method in ("renew", "owned"):
        monkeypatch.setattr(ledger, method, asked)
    for _ in range(3):
        async with held.hold(note, monotonic()):
            await asyncio.sleep(0.4)
    assert asked.calls == []


async def test_ten_notes_that_run_cost_no_more_transactions_than_one(
    ledger: TelegramLedger, held: Leases, arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "RENEW_S", 0.6)
    monkeypatch.setattr(leases, "WATCH_S", 0.2)
    notes = [await claimed(ledger, arrivals) for _ in range(10)]
    transactions = Transactions()
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(transactions.counted(ledger))
        for note in notes:
            await stack.enter_async_context(held.hold(note, monotonic()))
        await asyncio.sleep(1.5)
    assert 2 <= len(transactions.begun) <= 1.5 / 0.2, transactions.begun
    assert ["renew"] in transactions.begun


async def test_between_renewals_the_ledger_is_only_read(
    ledger: TelegramLedger, held: Leases, note: Note, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewals, looks = Renewals(), Renewals()
    monkeypatch.setattr(leases, "RENEW_S", 30 * OFTEN_S)
    monkeypatch.setattr(ledger, "renew", renewals)
    monkeypatch.setattr(ledger, "owned", looks)
    async with held.hold(note, monotonic()):
        await until(lambda: len(renewals.calls) > 1)
    assert len(looks.calls) > len(renewals.calls)


async def test_a_database_that_is_busy_for_a_moment_does_not_cost_the_lease(
    ledger: TelegramLedger, held: Leases, note: Note, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewals = Renewals(is_busy)
    monkeypatch.setattr(ledger, "renew", renewals)
    async with held.hold(note, monotonic()) as lease:
        await until(lambda: len(renewals.calls) > 2)
        assert await lease.while_certain(lambda: asyncio.sleep(0, "told")) == "told"
    assert not lease.lost.is_set()


@pytest.mark.parametrize("how", ["cancel", "delete"])
async def test_a_lease_whose_note_is_cancelled_or_deleted_is_known_to_be_lost(
    how: str, ledger: TelegramLedger, held: Leases, note: Note, arrivals: Arrivals
) -> None:
    other = await claimed(ledger, arrivals)
    async with held.hold(note, monotonic()) as lease, held.hold(other, monotonic()) as untouched:
        await (ledger.cancel(note.id) if how == "cancel" else ledger.delete(note.id))
        await until(lease.lost.is_set)
        assert not untouched.lost.is_set()


async def test_a_note_that_another_worker_claimed_is_lost_and_not_renewed_for_it(
    ledger: TelegramLedger, held: Leases, note: Note, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await ledger.release(note.id, note.fence)
    assert await ledger.claim(note.id, "worker-b") is not None
    monkeypatch.setattr("storage.states.HOLD_S", 0.2)
    async with held.hold(note, monotonic()) as lease:
        await until(lease.lost.is_set)
        await asyncio.sleep(0.3)
        assert await ledger.claim(note.id, "worker-c") is not None


async def test_nothing_is_told_any_more_before_another_may_claim_the_note(
    ledger: TelegramLedger, held: Leases, note: Note, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.states.HOLD_S", 1.0)
    monkeypatch.setattr(leases, "HOLD_S", 1.0)
    monkeypatch.setattr(leases, "DOUBT_S", 0.5)
    since = monotonic()
    assert await ledger.renew([(note.id, note.fence)])
    monkeypatch.setattr(ledger, "renew", Renewals(is_busy))
    async with held.hold(note, since) as lease:
        with pytest.raises(LeaseLost):
            await lease.while_certain(hangs)
        assert await ledger.claim(note.id, "worker-b") is None, "it was still ours"
        with pytest.raises(LeaseLost):
            await lease.while_certain(lambda: pytest.fail("told without a lease"))
        await until(lambda: _is_claimed(ledger, note))


async def _is_claimed(ledger: TelegramLedger, note: Note) -> bool:
    return await ledger.claim(note.id, "worker-b") is not None


async def test_what_is_told_for_longer_than_a_lease_lasts_goes_on_while_it_is_renewed(
    held: Leases, note: Note, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "HOLD_S", 1.3)
    async with held.hold(note, monotonic()) as lease:
        assert await lease.while_certain(lambda: asyncio.sleep(1.0, "told")) == "told"


async def test_work_is_dropped_when_the_lease_is_lost_and_else_gives_its_result(held: Leases, note: Note) -> None:
    async with held.hold(note, monotonic()) as lease:
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


def test_a_lease_outlasts_a_renewal_that_fails_twice() -> None:
    assert 2 * leases.RENEW_S + leases.WATCH_S < HOLD_S - leases.DOUBT_S
