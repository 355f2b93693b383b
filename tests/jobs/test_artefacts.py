"""Workers whose store for recordings and texts does not work."""

from pathlib import Path

from jobs.queue import Queue
from storage.telegram.ledger import TelegramLedger
from tests.jobs.conftest import Arrivals, Workers, until
from tests.jobs.doors import FileDoor
from tests.storage.samples import unfinished

AWAY = "http://key:hidden@127.0.0.1:1/bucket"


async def test_a_note_is_answered_while_the_store_is_away(
    workers: Workers, queue: Queue, ledger: TelegramLedger, arrivals: Arrivals, tmp_path: Path
) -> None:
    process = await workers.start(artefacts_url=AWAY)
    for _ in range(2):
        note = await arrivals.note()
        await queue.enqueue(note)

    async def are_told() -> bool:
        return await unfinished(ledger) == []

    assert await until(are_told) < 30
    log = process.options.log
    await until(lambda: "doing=artefacts" in log.read_text(), 60)
    told = {event["note"]: event["text"] for event in FileDoor(tmp_path / "door.jsonl", ledger).events("done")}
    assert told == arrivals.texts
    assert {path.stem for path in (tmp_path / "outbox").iterdir()} == set(arrivals.texts)
    assert "Traceback" not in log.read_text()
    assert "hidden" not in log.read_text()
