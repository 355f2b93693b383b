"""Errors of the real databases: which of them pass, and which never do."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from secrets import token_hex

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from engine import Fault
from storage.database import Database, open_database
from storage.errors import (
    DatabaseBusy,
    DatabaseExhausted,
    DatabaseFault,
    DatabaseFull,
    DatabaseNotWritable,
    DatabasePlanStale,
    DatabaseReadOnly,
    DatabaseSchemaChanged,
    DatabaseUnreachable,
    ValueNotStorable,
)
from storage.telegram.ledger import TelegramLedger
from storage.telegram.message import IncomingMessage
from tests.storage.conftest import name_in
from tests.storage.postgres import Postgres
from tests.storage.samples import incoming, record

OF_SQLSTATE: list[tuple[str, type[Fault]]] = [
    ("08006", DatabaseUnreachable),
    ("57P01", DatabaseUnreachable),
    ("57P02", DatabaseUnreachable),
    ("57P03", DatabaseUnreachable),
    ("40001", DatabaseBusy),
    ("40P01", DatabaseBusy),
    ("55P03", DatabaseBusy),
    ("57014", DatabaseBusy),
    ("25006", DatabaseReadOnly),
    ("53100", DatabaseFull),
    ("53200", DatabaseExhausted),
    ("53300", DatabaseExhausted),
    ("58030", DatabaseFull),
    ("26000", DatabasePlanStale),
    ("42P05", DatabasePlanStale),
    ("0A000", DatabasePlanStale),
    ("42P01", DatabaseSchemaChanged),
    ("42703", DatabaseSchemaChanged),
    ("23502", DatabaseSchemaChanged),
    ("22001", ValueNotStorable),
    ("22003", ValueNotStorable),
    ("22021", ValueNotStorable),
    ("23514", ValueNotStorable),
    ("54000", ValueNotStorable),
    ("42501", DatabaseFault),
    ("XX000", DatabaseFault),
]


@pytest.fixture
def database_name(postgres_url: str) -> str:
    return name_in(postgres_url)


async def run(database: Database, statement: str) -> None:
    async with database.writing() as connection:
        await connection.execute(text(statement))


@pytest.mark.parametrize(("sqlstate", "fault"), OF_SQLSTATE)
async def test_the_sqlstate_decides_and_not_the_words(
    postgres_database: Database, sqlstate: str, fault: type[Fault]
) -> None:
    words = "the disk is full, locked, busy, malformed, readonly, and the connection is closed"
    with pytest.raises(fault) as raised:
        await run(postgres_database, f"DO $$ BEGIN RAISE '{words}' USING ERRCODE = '{sqlstate}'; END $$")
    assert type(raised.value) is fault


async def test_a_violated_key_is_a_mistake_of_the_program(database: Database) -> None:
    await record(TelegramLedger(database), incoming(message_id=1))
    twice = "INSERT INTO transcripts (note_id, transcript) SELECT id, '' FROM notes"
    await run(database, twice)
    with pytest.raises(IntegrityError):
        await run(database, twice)


async def test_a_note_that_another_transaction_has_locked_is_tried_again(postgres_database: Database) -> None:
    await record(TelegramLedger(postgres_database), incoming())
    async with postgres_database.writing() as connection:
        await connection.execute(text("SELECT * FROM notes FOR UPDATE"))
        with pytest.raises(DatabaseBusy):
            await run(postgres_database, "SELECT * FROM notes FOR UPDATE NOWAIT")


async def test_a_connection_that_the_server_ended_is_tried_again(postgres_database: Database) -> None:
    with pytest.raises(DatabaseUnreachable):
        await run(postgres_database, "SELECT pg_terminate_backend(pg_backend_pid())")
    await record(TelegramLedger(postgres_database), incoming())


async def test_who_was_cut_off_in_a_transaction_tries_it_again(
    postgres_database: Database, postgres_server: Postgres
) -> None:
    async def write() -> None:
        async with postgres_database.writing() as connection:
            pid = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            await postgres_server.execute(f"SELECT pg_terminate_backend({pid})")
            await connection.execute(text("SELECT 1"))

    with pytest.raises(DatabaseUnreachable):
        await write()
    await record(TelegramLedger(postgres_database), incoming())


async def test_a_server_without_a_free_connection_is_told_as_such(
    postgres_server: Postgres, database_name: str, tmp_path: Path
) -> None:
    await postgres_server.execute("CREATE ROLE guest LOGIN CONNECTION LIMIT 0")
    with pytest.raises(DatabaseExhausted, match="too many connections"):
        await open_database(postgres_server.url_of(database_name).replace("earshot@", "guest@"), tmp_path)


async def test_read_only_connections_are_given_up_so_that_the_next_attempt_writes(
    postgres_database: Database, postgres_server: Postgres, database_name: str
) -> None:
    ledger = TelegramLedger(postgres_database)
    setting = f"ALTER DATABASE {database_name} SET default_transaction_read_only"
    await postgres_database.close()  # its connections; the next ones take the setting up
    await postgres_server.execute(f"{setting} = on")
    async with postgres_database.reading(), postgres_database.reading():
        pass  # two connections that can only read are in the pool
    await postgres_server.execute(f"{setting} = off")
    with pytest.raises(DatabaseReadOnly, match="primary"):
        await record(ledger, incoming())
    _, is_new = await record(ledger, incoming())
    assert is_new


async def test_a_plan_that_a_change_of_the_tables_made_stale_costs_one_attempt(
    postgres_database: Database, postgres_server: Postgres, database_name: str
) -> None:
    ledger = TelegramLedger(postgres_database)
    await record(ledger, incoming())
    await postgres_server.execute("ALTER TABLE notes ALTER COLUMN model TYPE varchar(99)", database_name)
    await postgres_server.execute("ALTER TABLE notes ALTER COLUMN error_code TYPE text", database_name)
    with pytest.raises(DatabasePlanStale):
        await record(ledger, incoming())
    _, is_new = await record(ledger, incoming())
    assert is_new


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE notes RENAME COLUMN door TO entrance",
        "ALTER TABLE notes RENAME TO voice_notes",
        "DROP TABLE transcripts",
    ],
)
async def test_tables_that_a_newer_program_changed_are_told_with_the_remedy(database: Database, change: str) -> None:
    ledger = TelegramLedger(database)
    note, _ = await record(ledger, incoming())

    async def use() -> None:
        await record(ledger, incoming())
        await ledger.transcript(note.id)

    await use()
    await run(database, change)
    with pytest.raises(DatabaseSchemaChanged, match="Update this program"):
        await use()


async def test_a_new_column_that_must_be_filled_is_a_change_of_the_tables(postgres_database: Database) -> None:
    await run(postgres_database, "ALTER TABLE notes ADD COLUMN priority text NOT NULL")
    with pytest.raises(DatabaseSchemaChanged):
        await record(TelegramLedger(postgres_database), incoming())


async def test_a_new_column_that_must_be_filled_is_a_change_of_the_tables_in_sqlite(sqlite_database: Database) -> None:
    await run(sqlite_database, "CREATE TABLE later (door TEXT NOT NULL, other TEXT)")
    with pytest.raises(DatabaseSchemaChanged):
        await run(sqlite_database, "INSERT INTO later (other) VALUES ('')")
    with pytest.raises(DatabaseSchemaChanged):
        await run(sqlite_database, "SELECT nothing FROM later")


def _with(**values: object) -> Callable[[], IncomingMessage]:
    return lambda: replace(incoming(), **values)  # type: ignore[arg-type]  # wrong on purpose


NUL, SURROGATE = "a\0b", "a\ud800b"


@pytest.mark.parametrize(
    "unstorable", [_with(chat_id=2**63), _with(user_id=-(2**70)), _with(file_name=SURROGATE), _with(file_id=SURROGATE)]
)
async def test_a_value_that_can_never_be_stored_is_no_outage(
    ledger: TelegramLedger, unstorable: Callable[[], IncomingMessage]
) -> None:
    with pytest.raises(ValueNotStorable):
        await record(ledger, unstorable())
    _, is_new = await record(ledger, incoming())
    assert is_new


@pytest.mark.parametrize(
    "unstorable",
    [_with(file_name=NUL), _with(locale="x" * 36), _with(kind="k" * 17), _with(file_unique_id=token_hex(50_000))],
)
async def test_a_value_that_postgresql_can_never_store_is_no_outage(
    postgres_database: Database, unstorable: Callable[[], IncomingMessage]
) -> None:
    with pytest.raises(ValueNotStorable):
        await record(TelegramLedger(postgres_database), unstorable())


async def test_a_sqlite_file_that_may_only_be_read_says_so(sqlite_database: Database) -> None:
    async with sqlite_database.reading() as connection:
        await connection.execute(text("PRAGMA query_only = ON"))
    with pytest.raises(DatabaseNotWritable):
        await record(TelegramLedger(sqlite_database), incoming())


async def test_a_pool_that_is_used_up_is_tried_again(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_database._engine.pool, "_timeout", 0.1)  # noqa: SLF001 - 30 s otherwise
    async with contextlib.AsyncExitStack() as stack:

        async def open_all() -> None:
            for _ in range(20):
                await stack.enter_async_context(sqlite_database.reading())

        with pytest.raises(DatabaseBusy):
            await open_all()
    await asyncio.wait_for(record(TelegramLedger(sqlite_database), incoming()), 5)
