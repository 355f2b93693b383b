import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from storage.database import Database, open_database
from storage.errors import DatabaseUnreachable
from storage.ledger import Ledger
from tests.storage.postgres import postgres


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await open_database("", tmp_path)
    yield database
    await database.close()


@pytest.fixture
async def postgres_database(postgres_url: str, tmp_path: Path) -> AsyncIterator[Database]:
    database = await opened(postgres_url, tmp_path)
    yield database
    await database.close()


@pytest.fixture
def ledger(database: Database) -> Ledger:
    return Ledger(database)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    with postgres() as server:
        yield server.url


async def opened(url: str, data_dir: Path) -> Database:
    """Open a database whose server may still be starting."""
    for _ in range(100):
        with contextlib.suppress(DatabaseUnreachable):
            return await open_database(url, data_dir)
        await asyncio.sleep(0.1)
    raise AssertionError("PostgreSQL did not come up")
