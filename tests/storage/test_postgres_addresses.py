import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from sqlalchemy import text

from storage.database import Database, open_database
from storage.errors import DatabaseUnreachable
from tests.certificates import Certificates, make_certificates
from tests.storage.conftest import opened
from tests.storage.postgres import GUARDED, Postgres, postgres

PASSWORD = "p@ss/w:rd%"  # noqa: S105 - of the test's own server
LOGIN = f"{GUARDED}:p%40ss%2Fw%3Ard%25"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def port() -> int:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def server(certificates: Certificates, port: int) -> Iterator[Postgres]:
    with postgres(certificates, port) as server:
        yield server


@pytest.fixture(autouse=True)
async def guarded(server: Postgres, port: int, tmp_path: Path) -> None:
    owner = await opened(f"postgresql://earshot@/postgres?host={server.folder}&port={port}", tmp_path)
    async with owner.writing() as connection:
        await connection.execute(text(f"DROP ROLE IF EXISTS {GUARDED}"))
        await connection.execute(text(f"CREATE ROLE {GUARDED} SUPERUSER LOGIN PASSWORD '{PASSWORD}'"))
    await owner.close()


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Database]:
    database = await open_database(url, Path("/nowhere"))
    yield database
    await database.close()


async def is_encrypted(database: Database) -> bool:
    async with database.reading() as connection:
        found = await connection.execute(text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"))
        return bool(found.scalar_one())


@pytest.mark.parametrize(
    "words",
    [
        "sslmode=require",
        "sslmode=require&channel_binding=prefer",
        "sslmode=verify-ca&sslrootcert={authority}",
        "sslmode=verify-full&sslrootcert={authority}&channel_binding=require",
        "sslmode=require&sslrootcert={authority}&channel_binding=require&connect_timeout=5&application_name=mine",
    ],
)
async def test_a_provider_s_address_is_connected_to_by_tls(port: int, certificates: Certificates, words: str) -> None:
    words = words.format(authority=certificates.authority)
    async with connected(f"postgres://{LOGIN}@localhost:{port}/postgres?{words}") as database:
        assert await is_encrypted(database)


@pytest.mark.parametrize("words", ["sslmode=verify-full", "sslmode=require&channel_binding=require"])
async def test_a_certificate_that_nobody_vouches_for_is_refused_where_it_is_checked(port: int, words: str) -> None:
    with pytest.raises(DatabaseUnreachable, match="certificate verify failed"):
        await open_database(f"postgres://{LOGIN}@localhost:{port}/postgres?{words}", Path("/nowhere"))


async def test_a_certificate_of_another_host_is_refused(port: int, certificates: Certificates) -> None:
    words = f"sslmode=verify-full&sslrootcert={certificates.authority}"
    with pytest.raises(DatabaseUnreachable, match="certificate"):
        await open_database(f"postgres://{LOGIN}@127.0.0.1:{port}/postgres?{words}", Path("/nowhere"))


async def test_a_server_that_wants_tls_refuses_a_login_without(port: int) -> None:
    with pytest.raises(DatabaseUnreachable, match=r"no encryption|rejects"):
        await open_database(f"postgres://{LOGIN}@localhost:{port}/postgres?sslmode=disable", Path("/nowhere"))


async def test_the_program_has_a_name_at_the_server(port: int) -> None:
    url = f"postgres://{LOGIN}@localhost:{port}/postgres?sslmode=require&application_name=app"
    async with connected(url) as database, database.reading() as connection:
        assert (await connection.execute(text("SHOW application_name"))).scalar_one() == "app"


async def test_a_host_that_is_gone_or_silent_leaves_the_next_one_its_turn(port: int) -> None:
    with closing(socket.socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        hosts = f"127.0.0.1:9,127.0.0.1:{silent.getsockname()[1]},localhost:{port}"
        async with connected(f"postgres://{LOGIN}@{hosts}/postgres?sslmode=require&connect_timeout=1") as database:
            assert await is_encrypted(database)


async def test_when_no_host_answers_all_are_named() -> None:
    with pytest.raises(DatabaseUnreachable, match=r"localhost:9,localhost:10/postgres"):
        await open_database(f"postgres://{LOGIN}@localhost:9,localhost:10/postgres", Path("/nowhere"))


async def test_statements_without_names_serve_behind_a_pooler(port: int) -> None:
    words = "sslmode=require&prepared_statement_cache_size=0"
    async with connected(f"postgres://{LOGIN}@localhost:{port}/postgres?{words}") as database:
        for _ in range(2):
            assert await is_encrypted(database)
        async with database.reading() as connection:
            kept = await connection.execute(text("SELECT count(*) FROM pg_prepared_statements WHERE name <> ''"))
            assert kept.scalar_one() <= 1  # the one that counts
