"""What the databases say of how they find notes: nothing on a note's way reads more the more notes there are."""

import re

from storage.database import Database
from storage.telegram.ledger import TelegramLedger
from tests.scale.filled_ledger import fill
from tests.scale.ledger_calls import Calls, engine_of, plans

NOTES = 20_000
# These hold a few rows for each bot, or only the notes that are not over, or are read from one end up to a limit.
BOUNDED = (
    "door_totals",
    "ix_notes_unsettled",
    "ix_notes_queued",
    "ix_notes_measured",
    "ix_notes_received",
    "ix_notes_moved",
    "ix_artefacts_recordings",
    "artefact_days",
)
# Of these a bot or a door has few.
FEW = ("door_totals", "ix_notes_turn", "ix_notes_unsettled", "ix_notes_queued", "ix_telegram_messages_moved")


async def test_no_query_scans_or_sorts_what_grows_with_the_ledger(database: Database) -> None:
    calls = Calls(TelegramLedger(database))
    await fill(database, NOTES)
    with calls.recording(await engine_of(database)):
        await calls.all()
    async with database.reading() as connection:
        faults_in = _faults_in_sqlite if connection.dialect.name == "sqlite" else _faults_in_postgresql
    explained = await plans(database, calls)
    assert len(explained) > 40
    faults = {name: [fault for plan in found for fault in faults_in(plan)] for name, found in explained.items()}
    assert {name: found for name, found in faults.items() if found} == {}


def _faults_in_sqlite(plan: str) -> list[str]:
    """Find a scan, a sort, and a search for all that a door or a bot has, or that came before a moment."""
    lines = plan.splitlines()
    scans = [line for line in lines if re.match(r"SCAN (?!(\d+ )?CONSTANT|\(subquery)|USE TEMP B-TREE", line)]
    broad = [line for line in lines if re.search(r"INDEX \w+ \((bot_id=\?|door=\?|received_at<\?)\)", line)]
    return [line for line in scans if not any(name in line for name in BOUNDED)] + [
        line for line in broad if not any(name in line for name in FEW)
    ]


def _faults_in_postgresql(plan: str) -> list[str]:
    """Find a scan of a whole table, and a sort or a filtered scan of an index that reads more than a page."""
    lines = [line for line in plan.splitlines() if re.search(r"Seq Scan|Sort  \(", line)]
    return [line for line in lines if not any(name in line for name in BOUNDED) and _rows(line) > 100]


def _rows(line: str) -> int:
    found = re.search(r"rows=(\d+)", line)
    return int(found[1]) if found and "Seq Scan" not in line else 1_000_000
