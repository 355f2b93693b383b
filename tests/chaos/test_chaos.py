from pathlib import Path

import pytest

from tests.chaos.campaign import Campaign, Outcome, carry_out
from tests.chaos.plan import Fault, Kind, plan

BLACKOUTS = (
    Fault(Kind.KILL_ALL, after_notes=10),
    Fault(Kind.FREEZE_WORKER, after_notes=20, lasts_s=60),
    Fault(Kind.FLUSH_REDIS, after_notes=30),
    Fault(Kind.KILL_REDIS, after_notes=45),
)


def assert_kept(outcome: Outcome) -> None:
    """Hold every promise by itself, so that a failure shows which one was broken, and where."""
    verdict = outcome.verdict
    assert (verdict.lost, verdict.twice, verdict.wrong, verdict.stray) == ([], [], [], [])
    assert (outcome.unsettled, outcome.violations, outcome.crashes) == ([], [], [])


@pytest.mark.timeout(400)
async def test_whatever_dies_every_note_is_answered_once_with_its_own_text(tmp_path: Path) -> None:
    campaign = Campaign(notes=50, faults=plan(notes=50, kills=6, seed=1), seed=1)
    assert_kept(await carry_out(campaign, tmp_path, print))


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_nothing_is_lost_when_all_that_is_not_on_disk_is_gone(tmp_path: Path) -> None:
    campaign = Campaign(notes=60, faults=BLACKOUTS, seed=2)
    assert_kept(await carry_out(campaign, tmp_path, print))
