"""Hosts whose clocks are wrong: PostgreSQL's own clock decides who holds a note."""

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from storage.clock import now
from storage.database import Database
from storage.telegram.ledger import TelegramLedger
from tests.storage.samples import incoming, record

TEN_MINUTES_S = 600
# A process whose clock is off by sys.argv[1] seconds; it reads addresses of ledgers and calls, and prints the results.
OTHER_HOST = """
import datetime, sys, time

off_s, true_time = float(sys.argv[1]), time.time
time.time = lambda: true_time() + off_s

class Datetime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(time.time(), tz)

datetime.datetime = Datetime

import asyncio
from pathlib import Path
from storage.clock import now
from storage.database import open_database
from storage.telegram.ledger import TelegramLedger

async def main():
    assert abs((now().timestamp() - true_time()) - off_s) < 5
    print("ready", flush=True)
    for line in sys.stdin:
        url, call = line.split(maxsplit=1)
        database = await open_database(url, Path())
        ledger = TelegramLedger(database)
        print(await eval(call), flush=True)
        await database.close()

asyncio.run(main())
"""


Host = Callable[[str], str]


@pytest.fixture(scope="module", params=[TEN_MINUTES_S, -TEN_MINUTES_S])
def other_process(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    """A host whose clock is off."""
    command = (sys.executable, "-c", OTHER_HOST, str(request.param))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.stdin.close()
        assert process.wait() == 0


@pytest.fixture
def other_host(other_process: subprocess.Popen[str], postgres_url: str) -> Host:
    """Call the ledger on that host."""
    assert other_process.stdin is not None
    assert other_process.stdout is not None
    calls, results = other_process.stdin, other_process.stdout

    def call(expression: str) -> str:
        calls.write(f"{postgres_url} {expression}\n")
        return results.readline().strip()

    return call


@pytest.fixture
def ledger(postgres_database: Database) -> TelegramLedger:
    return TelegramLedger(postgres_database)


async def test_a_host_whose_clock_is_off_takes_no_note_that_another_holds(
    ledger: TelegramLedger, other_host: Host
) -> None:
    waiting, _ = await record(ledger, incoming())
    note = await ledger.claim(waiting.id, "here")
    assert note is not None
    assert other_host(f"ledger.claim('{note.id}', 'there')") == "None"
    assert other_host("ledger.orphaned(5)") == "[]"
    assert await ledger.owned([(note.id, note.fence)])


async def test_a_host_whose_clock_is_off_keeps_the_note_that_it_holds(ledger: TelegramLedger, other_host: Host) -> None:
    note, _ = await record(ledger, incoming())
    other_host(f"ledger.claim('{note.id}', 'there')")
    assert await ledger.claim(note.id, "here") is None
    assert await ledger.orphaned(0) == []
    assert other_host(f"ledger.renew([('{note.id}', 1)])") == f"{{('{note.id}', 1)}}"
    assert await ledger.claim(note.id, "here") is None


async def test_times_that_a_host_with_a_wrong_clock_writes_are_right(ledger: TelegramLedger, other_host: Host) -> None:
    note, _ = await record(ledger, incoming())
    other_host(f"ledger.claim('{note.id}', 'there')")
    written = await ledger.get(note.id)
    assert written is not None
    assert written.started_at is not None
    assert 0 <= (written.started_at - note.received_at).total_seconds() < TEN_MINUTES_S / 2
    assert abs((now() - note.received_at).total_seconds()) < TEN_MINUTES_S / 2
