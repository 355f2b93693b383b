"""Twenty workers in two processes that race for the same notes."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from storage.telegram.ledger import TelegramLedger
from tests.storage.samples import incoming, record

PROCESSES, WORKERS_EACH, NOTES, HOLDS = 2, 10, 5, 3
RACE = """
import asyncio, json, random, sys
from pathlib import Path
from storage import states
from storage.database import open_database
from storage.telegram.ledger import TelegramLedger

states.HOLD_S = 600.0  # however slow this machine is, nobody is taken for dead
url, folder, name, workers, holds, *notes = sys.argv[1:]

async def work(ledger, worker):
    held = []
    for _ in range(int(holds)):
        for note_id in random.sample(notes, len(notes)):
            note = await ledger.claim(note_id, worker)
            if note is not None:
                held.append((note_id, note.fence))
                if note.fence < int(holds):
                    assert await ledger.release(note_id, note.fence)
    return held

async def main():
    database = await open_database(url, Path(folder))
    ledger = TelegramLedger(database)
    print("ready", flush=True)
    sys.stdin.readline()
    held = await asyncio.gather(*(work(ledger, f"{name}-{number}") for number in range(int(workers))))
    print(json.dumps([claim for claims in held for claim in claims]))
    await database.close()

asyncio.run(main())
"""


async def test_of_twenty_workers_that_race_for_notes_one_holds_each_at_a_time(
    ledger: TelegramLedger, database_url: str, tmp_path: Path
) -> None:
    notes = [(await record(ledger, incoming()))[0].id for _ in range(NOTES)]
    racers = [await _racer(database_url, tmp_path, f"p{number}", notes) for number in range(PROCESSES)]
    for racer in racers:
        assert racer.stdout is not None
        assert await racer.stdout.readline() == b"ready\n"
    ended = await asyncio.gather(*(racer.communicate(b"go\n") for racer in racers))
    assert [racer.returncode for racer in racers] == [0] * PROCESSES
    # Who claims it next has to wait until it was handed back: each fence was held once, and none came after the last.
    held = Counter(_claims(ended))
    assert held == Counter({(note_id, fence): 1 for note_id in notes for fence in range(1, HOLDS + 1)})
    assert [note.fence for note in await ledger.get_many(notes)] == [HOLDS] * NOTES


async def _racer(url: str, folder: Path, name: str, notes: list[str]) -> asyncio.subprocess.Process:
    arguments = ("-c", RACE, url, str(folder), name, str(WORKERS_EACH), str(HOLDS), *notes)
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(sys.executable, *arguments, stdin=pipe, stdout=pipe)


def _claims(ended: list[tuple[bytes, bytes]]) -> Iterator[tuple[str, int]]:
    for told, _ in ended:
        yield from ((note_id, fence) for note_id, fence in json.loads(told))
