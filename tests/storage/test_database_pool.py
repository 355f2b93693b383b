"""Connections to PostgreSQL: how many there are, and what becomes of broken ones."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

import storage.database
from storage.database import Database, open_database
from storage.settings import POOL_SIZE
from storage.telegram.ledger import TelegramLedger
from tests.storage.conftest import opened
from tests.storage.postgres import Postgres, postgres
from tests.storage.samples import incoming, record

PROCESSES = 40


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as server:
        yield server


@pytest.fixture
async def database(server: Postgres, tmp_path: Path) -> AsyncIterator[Database]:
    database = await opened(server.url, tmp_path)
    yield database
    await database.close()


async def backend(database: Database) -> int:
    async with database.reading() as connection:
        return int((await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one())


async def sessions(database: Database) -> int:
    async with database.reading() as connection:
        found = await connection.execute(
            text("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'earshot'")
        )
        return int(found.scalar_one())


async def test_a_process_opens_no_more_connections_than_are_set(database: Database) -> None:
    notes = await asyncio.gather(*(record(TelegramLedger(database), incoming()) for _ in range(50)))
    assert all(is_new for _, is_new in notes)
    assert await sessions(database) <= POOL_SIZE


async def test_forty_busy_processes_fit_the_default_of_postgresql(server: Postgres, database: Database) -> None:
    opened_too = [await open_database(server.url, Path("/nowhere")) for _ in range(PROCESSES - 1)]
    everyone = [database, *opened_too]
    ledgers = [TelegramLedger(one) for one in everyone for _ in range(2 * POOL_SIZE)]
    await asyncio.gather(*(record(ledger, incoming()) for ledger in ledgers))
    assert await sessions(database) > PROCESSES
    await asyncio.gather(*(one.close() for one in opened_too))


async def test_a_server_that_was_started_again_fails_no_read(server: Postgres, database: Database) -> None:
    note, _ = await record(TelegramLedger(database), incoming())
    before = await backend(database)
    await asyncio.to_thread(server.stop)
    server.start()
    await (await opened(server.url, Path("/nowhere"))).close()
    assert await TelegramLedger(database).telegram_note(note.id) == note
    assert await backend(database) != before


async def test_a_connection_is_kept_and_replaced_once_it_was_idle_for_long(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await backend(database)
    assert await backend(database) == first
    monkeypatch.setattr(storage.database, "MAX_IDLE_S", 0.1)
    await asyncio.sleep(0.2)
    assert await backend(database) != first
