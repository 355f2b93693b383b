"""What dead workers leave behind."""

from pathlib import Path

from jobs.scratch_folders import sweep
from storage.telegram.ledger import TelegramLedger
from tests.jobs.conftest import Arrivals


async def test_only_what_is_worked_on_stays(tmp_path: Path, arrivals: Arrivals, ledger: TelegramLedger) -> None:
    running, waiting, gone = [await arrivals.note() for _ in range(3)]
    await ledger.claim(running.id, "worker")
    await ledger.delete(gone.id)
    scratch = tmp_path / "scratch"
    for note in (running, waiting, gone):
        (scratch / f"{note.id}-1").mkdir(parents=True)
        (scratch / f"{note.id}-1" / "voice.ogg").write_bytes(b"secret")
    await sweep(scratch, ledger)
    assert [folder.name for folder in scratch.iterdir()] == [f"{running.id}-1"]


async def test_nothing_is_swept_where_there_is_nothing(tmp_path: Path, ledger: TelegramLedger) -> None:
    await sweep(tmp_path / "never made", ledger)
