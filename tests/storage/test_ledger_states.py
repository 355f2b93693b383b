"""The life of notes as a machine: whatever happens in whatever order, the ledger agrees with a model of a few lines."""

import asyncio
import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import ClassVar
from unittest import mock

import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from storage import clock, states
from storage.clock import now
from storage.database import open_database
from storage.note import Failure, State
from storage.telegram.ledger import TelegramLedger
from tests.storage.conftest import new_postgres_ledger, set_server_clock_forward
from tests.storage.drawing import DRAWN, place_of
from tests.storage.postgres import Postgres
from tests.storage.samples import incoming, record, transcript, unfinished
from tests.storage.totals import assert_totals_are_right

FAILURE = Failure(code="timeout", params={"limit_s": 1})


@dataclass
class Expected:
    """What the ledger should say of a note."""

    id: str
    state: State = State.QUEUED
    fence: int = 0
    tries: int = 0
    begun: int = 0
    delivered: bool = False
    undeliverable: bool = False
    holder: int | None = None
    beat: float = 0.0
    claims: list[int] = field(default_factory=lambda: [0])

    @property
    def settled(self) -> bool:
        """Say whether nothing more is to come."""
        return self.delivered or self.undeliverable


class LedgerMachine(RuleBasedStateMachine):
    """Workers, people and crashes, at random."""

    server: ClassVar[Postgres | None] = None  # without one it is SQLite
    empty_ledger: ClassVar[Path]
    notes = Bundle("notes")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        shutil.copy(self.empty_ledger, self.folder.name)
        self.url = "" if self.server is None else self.loop.run_until_complete(new_postgres_ledger(self.server))
        self.database = self.loop.run_until_complete(open_database(self.url, Path(self.folder.name)))
        self.ledger = TelegramLedger(self.database)
        self.clock = 0.0
        self.known: list[Expected] = []
        self.places: dict[str, str] = {}
        self.patch = mock.patch.object(clock, "now", self._now)
        self.patch.start()

    def _now(self) -> datetime:
        return now() + timedelta(seconds=self.clock)

    def teardown(self) -> None:
        self.patch.stop()
        self.loop.run_until_complete(assert_totals_are_right(self.database))
        self.loop.run_until_complete(self.database.close())
        self.loop.close()
        self.folder.cleanup()

    @rule(target=notes)
    def record(self) -> Expected:
        note, _ = self.loop.run_until_complete(record(self.ledger, incoming()))
        expected = Expected(note.id)
        self.known.append(expected)
        return expected

    @rule(holds=st.sampled_from([0.4, 0.7, 2.2]))  # no sum is so near to one that a slow machine could reach it
    def time_passes(self, holds: float) -> None:
        self.clock += holds * states.HOLD_S
        if self.server is not None:
            self.loop.run_until_complete(set_server_clock_forward(self.server, self.url, self.clock))

    @rule(note=notes)
    def claim(self, note: Expected) -> None:
        claimed = self.loop.run_until_complete(self.ledger.claim(note.id, "worker"))
        free = note.holder is None or self.clock - note.beat > states.HOLD_S
        assert (claimed is not None) == (free and not note.settled)
        if claimed is None:
            return
        note.fence += 1
        if note.state in (State.QUEUED, State.PROCESSING):
            note.state = State.PROCESSING
        note.holder, note.beat, note.begun = note.fence, self.clock, 0
        note.claims.append(note.fence)

    @rule(note=notes)
    def claim_delivery(self, note: Expected) -> None:
        claimed = self.loop.run_until_complete(self.ledger.claim_delivery(note.id, "worker"))
        free = note.holder is None or self.clock - note.beat > states.HOLD_S
        assert (claimed is not None) == (free and not note.settled and note.state.is_final)
        if claimed is not None:
            note.fence += 1
            note.holder, note.beat, note.begun = note.fence, self.clock, 0
            note.claims.append(note.fence)

    @rule(note=notes, pick=st.randoms(use_true_random=False))
    def begin(self, note: Expected, pick: Random) -> None:
        fence = pick.choice(note.claims)
        begun = self.loop.run_until_complete(self.ledger.begin_attempt(note.id, fence))
        assert begun == (note.state is State.PROCESSING and fence == note.fence)
        if begun:
            note.tries, note.begun = note.tries + 1, note.begun + 1

    @rule(note=notes, pick=st.randoms(use_true_random=False))
    def beat(self, note: Expected, pick: Random) -> None:
        fence = pick.choice(note.claims)
        alive = bool(self.loop.run_until_complete(self.ledger.renew([(note.id, fence)])))
        assert alive == (fence == note.holder)
        if alive:
            note.beat = self.clock

    @rule(note=notes, pick=st.randoms(use_true_random=False))
    def release(self, note: Expected, pick: Random) -> None:
        fence = pick.choice(note.claims)
        begun = fence == note.fence and note.begun > 0
        released = self.loop.run_until_complete(self.ledger.release(note.id, fence, begun=begun))
        assert released == (fence == note.holder)
        if released:
            note.holder = None
            if note.state is State.PROCESSING:
                note.state, note.tries = State.QUEUED, note.tries - int(begun)

    @rule(note=notes, pick=st.randoms(use_true_random=False), succeeds=st.booleans())
    def end(self, note: Expected, pick: Random, succeeds: bool) -> None:  # noqa: FBT001 - drawn
        fence = pick.choice(note.claims)
        if succeeds:
            coroutine = self.ledger.finish(note.id, fence, transcript(f"by {fence}"), engine_s=1, digest="d")
        else:
            coroutine = self.ledger.fail(note.id, fence, FAILURE)
        ended = self.loop.run_until_complete(coroutine)
        assert (ended is not None) == (note.state is State.PROCESSING and fence == note.fence)
        if ended:
            note.state, note.beat = State.DONE if succeeds else State.FAILED, self.clock

    @rule(note=notes, pick=st.randoms(use_true_random=False), told=st.booleans())
    def settle(self, note: Expected, pick: Random, told: bool) -> None:  # noqa: FBT001 - drawn
        fence = pick.choice(note.claims)
        if told:
            coroutine = self.ledger.mark_delivered(note.id, fence)
        else:
            coroutine = self.ledger.mark_undeliverable(note.id, "blocked", fence)
        settled = self.loop.run_until_complete(coroutine)
        assert (settled is not None) == (note.state.is_final and fence == note.fence and not note.settled)
        if settled:
            note.delivered, note.undeliverable, note.holder = told, not told, None

    @rule(note=notes)
    def cancel(self, note: Expected) -> None:
        cancelled = self.loop.run_until_complete(self.ledger.cancel(note.id))
        assert cancelled == (not note.state.is_final)
        if cancelled:
            note.state, note.holder = State.CANCELLED, None

    @rule(note=notes)
    def retry(self, note: Expected) -> None:
        again = self.loop.run_until_complete(self.ledger.retry(note.id, {}))
        if note.state.is_final:
            note.state, note.fence, note.tries = State.QUEUED, note.fence + 1, 0
            note.delivered = note.undeliverable = False
            note.holder = None
        assert again.state is note.state

    @invariant()
    def the_ledger_agrees(self) -> None:
        notes = self.loop.run_until_complete(self.ledger.get_many([expected.id for expected in self.known]))
        for expected, note in zip(sorted(self.known, key=lambda one: one.id), notes, strict=True):
            assert note.id == expected.id
            found = (note.state, note.fence, note.tries, note.delivered_at is not None, note.undeliverable is not None)
            wanted = (expected.delivered, expected.undeliverable)
            assert found == (expected.state, expected.fence, expected.tries, *wanted)
            self._went(expected.id, place_of(note))
        untold = {note.id for note in self.loop.run_until_complete(unfinished(self.ledger))}
        assert untold == {note.id for note in self.known if not note.settled}

    def _went(self, note_id: str, now_at: str) -> None:
        """Check that the note took no way that is not drawn."""
        was_at = self.places.get(note_id, "[*]")
        assert was_at == now_at or (was_at, now_at) in {(step.start, step.end) for step in DRAWN}
        self.places[note_id] = now_at


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_whatever_happens_the_ledger_agrees_with_a_model_of_a_few_lines(
    kind: str, request: pytest.FixtureRequest, empty_ledger: Path
) -> None:
    server: Postgres | None = request.getfixturevalue("postgres_server") if kind == "postgres" else None
    LedgerMachine.server, LedgerMachine.empty_ledger = server, empty_ledger
    run_state_machine_as_test(
        LedgerMachine,
        settings=settings(
            max_examples=10, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
