from collections import Counter

import pytest
from hypothesis import given, strategies as st

from tests.chaos.plan import KILLS, LASTS_S, TROUBLES, Kind, plan

SEEDS = st.integers(0, 10**6)


@given(notes=st.integers(1, 3000), kills=st.integers(0, 300), seed=SEEDS)
def test_the_same_seed_gives_the_same_plan(notes: int, kills: int, seed: int) -> None:
    assert plan(notes, kills, seed) == plan(notes, kills, seed)


def test_another_seed_gives_another_plan() -> None:
    assert plan(100, 10, 1) != plan(100, 10, 2)


@given(notes=st.integers(1, 3000), kills=st.integers(0, 300), seed=SEEDS)
def test_there_are_exactly_so_many_kills_in_the_order_of_the_notes(notes: int, kills: int, seed: int) -> None:
    faults = plan(notes, kills, seed)
    assert sum(fault.kind in KILLS for fault in faults) == kills
    assert [fault.after_notes for fault in faults] == sorted(fault.after_notes for fault in faults)
    assert all(1 <= fault.after_notes <= notes for fault in faults)


@given(seed=SEEDS)
def test_every_kind_occurs_among_many_and_workers_die_most_often(seed: int) -> None:
    counted = Counter(fault.kind for fault in plan(1000, 100, seed))
    assert set(counted) == set(Kind)
    assert max(KILLS, key=lambda kind: counted[kind]) is Kind.KILL_WORKER


def test_every_kind_either_kills_or_troubles() -> None:
    assert sorted([*KILLS, *TROUBLES]) == sorted(Kind)


@given(seed=SEEDS)
def test_what_lasts_lasts_as_long_as_it_may(seed: int) -> None:
    for fault in plan(100, 50, seed):
        shortest, longest = LASTS_S.get(fault.kind, (0.0, 0.0))
        assert shortest <= fault.lasts_s <= longest


@given(seed=SEEDS)
def test_a_mix_has_nothing_else(seed: int) -> None:
    mix = {Kind.KILL_BOT, Kind.FLUSH_REDIS}
    assert {fault.kind for fault in plan(100, 10, seed, mix)} == mix


def test_a_mix_without_a_kill_cannot_kill() -> None:
    with pytest.raises(ValueError, match="nothing that kills"):
        plan(100, 1, 1, {Kind.FLUSH_REDIS})
