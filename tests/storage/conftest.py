import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from filelock import FileLock

from storage import clock
from storage.clock import now
from storage.database import Database, open_database
from storage.errors import DatabaseUnreachable
from storage.telegram.ledger import TelegramLedger
from tests.storage.postgres import Postgres, postgres

Later = Callable[[float], Awaitable[None]]
TEMPLATE = "migrated"
_numbers = count()


@pytest.fixture
async def sqlite_database(data_dir: Path) -> AsyncIterator[Database]:
    database = await open_database("", data_dir)
    yield database
    await database.close()


@pytest.fixture
async def postgres_database(postgres_url: str, tmp_path: Path) -> AsyncIterator[Database]:
    database = await open_database(postgres_url, tmp_path)
    yield database
    await database.close()


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of a new, empty ledger: each test runs with both kinds."""
    if request.param == "sqlite":
        return f"sqlite:///{request.getfixturevalue('data_dir')}/earshot.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
async def database(database_url: str, tmp_path: Path) -> AsyncIterator[Database]:
    database = await open_database(database_url, tmp_path)
    yield database
    await database.close()


@pytest.fixture
def ledger(database: Database) -> TelegramLedger:
    return TelegramLedger(database)


@pytest.fixture
def later(database_url: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Later:
    """Set the ledger's clock forward by so many seconds from now, whatever it was set to before."""

    async def set_host_clock(seconds: float) -> None:
        monkeypatch.setattr(clock, "now", lambda: now() + timedelta(seconds=seconds))

    if database_url.startswith("sqlite"):
        return set_host_clock
    server: Postgres = request.getfixturevalue("postgres_server")
    return lambda seconds: set_server_clock_forward(server, database_url, seconds)


async def set_server_clock_forward(server: Postgres, url: str, seconds: float) -> None:
    """Put a function that is ahead before the server's own: the role's search path looks into `public` first."""
    ahead = f"SELECT pg_catalog.statement_timestamp() + make_interval(secs => {seconds})"
    function = "CREATE OR REPLACE FUNCTION public.statement_timestamp() RETURNS timestamptz LANGUAGE sql STABLE"
    await server.execute(f"{function} AS '{ahead}'", name_in(url))


def name_in(url: str) -> str:
    """Give the name of the database at that address."""
    return url.partition("@/")[2].partition("?")[0]


@pytest.fixture
def postgres_url(postgres_server: Postgres) -> str:
    """The address of a new database with empty tables."""
    return asyncio.run(new_postgres_ledger(postgres_server))


async def new_postgres_ledger(server: Postgres) -> str:
    """Make a database with empty tables; its address."""
    name = f"ledger{os.getpid()}_{next(_numbers)}"
    await server.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    return server.url_of(name)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Postgres]:
    """Run a server for all processes of xdist: the first that needs it starts it, and ends it after the others."""
    if worker_id == "master":
        with _prepared_server(tmp_path_factory) as server:
            yield server
        return
    users = Users(tmp_path_factory.getbasetemp().parent / "postgres", worker_id)
    with contextlib.ExitStack() as stack:
        with users.lock:
            users.own.touch()
            if not users.address.exists():
                server = stack.enter_context(_prepared_server(tmp_path_factory))
                users.address.write_text(server.folder)
                stack.callback(users.wait_for_others)
        stack.callback(users.own.unlink)
        yield Postgres(users.address.read_text(), None, None)


class Users:
    """The processes that use a server, each with a file in `folder`."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.own, self.address = folder, folder / name, folder / "address"
        self.lock = FileLock(folder / "lock")

    def wait_for_others(self) -> None:
        """Wait until nobody uses the server; whoever comes then starts another."""
        for _ in range(1200):
            with self.lock:
                if not any(self.folder.glob("gw*")):
                    self.address.unlink()
                    return
            time.sleep(0.1)
        raise AssertionError(f"still used: {[*self.folder.glob('gw*')]}")


@contextlib.contextmanager
def _prepared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with postgres() as server:
        asyncio.run(_prepare(server, tmp_path_factory.mktemp("postgres")))
        yield server


async def _prepare(server: Postgres, data_dir: Path) -> None:
    await (await opened(server.url, data_dir)).close()
    await server.execute("ALTER ROLE earshot SET search_path = public, pg_catalog")
    await server.execute(f"CREATE DATABASE {TEMPLATE} TEMPLATE postgres")
    await set_server_clock_forward(server, server.url_of(TEMPLATE), 0)


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a new database without tables: each test runs with both kinds."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/ledger.db"
    server: Postgres = request.getfixturevalue("postgres_server")
    name = f"empty{os.getpid()}_{next(_numbers)}"
    asyncio.run(server.execute(f"CREATE DATABASE {name} TEMPLATE template0"))
    return server.url_of(name).replace("postgresql:", "postgresql+asyncpg:")


async def opened(url: str, data_dir: Path) -> Database:
    """Open a database whose server is still starting."""
    for _ in range(100):
        with contextlib.suppress(DatabaseUnreachable):
            return await open_database(url, data_dir)
        await asyncio.sleep(0.1)
    raise AssertionError("PostgreSQL did not come up")
