import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

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


@pytest.fixture(params=["sqlite", "postgresql"])
async def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Make an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/ledger.db"
    server = make_url(request.getfixturevalue("postgres_url")).set(drivername="postgresql+asyncpg")
    await (await opened(server.render_as_string(), tmp_path)).close()
    admin = create_async_engine(server, isolation_level="AUTOCOMMIT")
    async with admin.connect() as connection:
        await connection.execute(text("DROP DATABASE IF EXISTS ledger WITH (FORCE)"))
        await connection.execute(text("CREATE DATABASE ledger"))
    await admin.dispose()
    return server.set(database="ledger").render_as_string()


@pytest.fixture
async def either_database(empty_url: str, tmp_path: Path) -> AsyncIterator[Database]:
    """Open a new database of each kind."""
    database = await open_database(empty_url, tmp_path)
    yield database
    await database.close()


async def opened(url: str, data_dir: Path) -> Database:
    """Open a database whose server is still starting."""
    for _ in range(100):
        with contextlib.suppress(DatabaseUnreachable):
            return await open_database(url, data_dir)
        await asyncio.sleep(0.1)
    raise AssertionError("PostgreSQL did not come up")
