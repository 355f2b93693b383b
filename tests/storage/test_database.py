import asyncio
import contextlib
import sqlite3
import stat
import sys
import time
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

import storage.database
from storage.database import Database, open_database
from storage.errors import (
    DatabaseBusy,
    DatabaseDamaged,
    DatabaseFull,
    DatabaseNotWritable,
    DatabaseTooNew,
    DatabaseUnreachable,
)
from storage.migration import MIGRATIONS, latest_revision
from storage.tables import metadata
from storage.telegram.ledger import TelegramLedger
from tests.storage.postgres import GUARDED, Postgres
from tests.storage.samples import incoming, record

OPEN = """
import asyncio, sys
from pathlib import Path
from storage.database import open_database

async def main() -> None:
    await (await open_database("", Path(sys.argv[1]))).close()

asyncio.run(main())
"""


def _differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


async def test_the_tables_are_as_the_migrations_make_them(database: Database) -> None:
    async with database.reading() as connection:
        assert await connection.run_sync(_differences) == []


def test_the_newest_revision_is_the_one_that_the_migrations_lead_to() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == latest_revision()


async def test_a_database_that_is_up_to_date_is_opened_without_alembic(
    sqlite_database: Database, tmp_path: Path
) -> None:
    await sqlite_database.close()
    loaded = f"{OPEN}\nassert not any(name.partition('.')[0] == 'alembic' for name in sys.modules)"
    opener = await asyncio.create_subprocess_exec(sys.executable, "-c", loaded, str(tmp_path))
    assert await opener.wait() == 0


async def test_a_database_that_was_never_migrated_gets_its_tables(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "earshot.db")) as empty:
        empty.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        empty.commit()
    database = await open_database("", tmp_path)
    _, is_new = await record(TelegramLedger(database), incoming())
    assert is_new
    await database.close()


async def test_sqlite_is_opened_to_survive_a_power_cut(sqlite_database: Database, tmp_path: Path) -> None:
    async with sqlite_database.reading() as connection:
        names = ("journal_mode", "synchronous", "foreign_keys")
        found = [(await connection.execute(text(f"PRAGMA {name}"))).scalar_one() for name in names]
    assert found == ["wal", 2, 1]
    assert stat.S_IMODE((tmp_path / "earshot.db").stat().st_mode) == 0o600


async def test_what_is_written_is_there_when_opened_again(database_url: str, tmp_path: Path) -> None:
    first = await open_database(database_url, tmp_path)
    note, _ = await record(TelegramLedger(first), incoming())
    await first.close()
    second = await open_database(database_url, tmp_path)
    assert await TelegramLedger(second).telegram_note(note.id) == note
    await second.close()


async def test_processes_that_open_it_at_once_do_not_collide(tmp_path: Path) -> None:
    openers = [await asyncio.create_subprocess_exec(sys.executable, "-c", OPEN, str(tmp_path)) for _ in range(3)]
    assert [await opener.wait() for opener in openers] == [0] * 3


async def test_several_databases_can_be_opened_at_once(tmp_path: Path) -> None:
    for database in await asyncio.gather(*(open_database("", tmp_path / str(number)) for number in range(4))):
        _, is_new = await record(TelegramLedger(database), incoming())
        assert is_new
        await database.close()


async def test_a_transaction_that_reads_and_then_writes_waits_for_its_turn(ledger: TelegramLedger) -> None:
    notes = await asyncio.gather(*(record(ledger, incoming()) for _ in range(20)))
    assert all(await asyncio.gather(*(ledger.add_part(note.id, 1, 100) for note, _ in notes)))


async def test_a_url_needs_no_driver(tmp_path: Path) -> None:
    database = await open_database(f"sqlite:///{tmp_path}/elsewhere.db", tmp_path)
    await database.close()
    assert (tmp_path / "elsewhere.db").exists()


async def test_a_damaged_file_is_named_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / "earshot.db").write_bytes(b"this is no database " * 100)
    with pytest.raises(DatabaseDamaged, match=r"earshot\.db is not a sound SQLite database"):
        await open_database("", tmp_path)


async def test_a_folder_that_is_a_file_is_a_clear_fault(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("")
    with pytest.raises((DatabaseNotWritable, DatabaseUnreachable)):
        await open_database(f"sqlite:///{tmp_path}/folder/earshot.db", tmp_path)


async def test_a_locked_database_is_a_fault_and_not_a_crash(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage.database, "BUSY_TIMEOUT_S", 0.3)
    with contextlib.closing(sqlite3.connect(tmp_path / "earshot.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseBusy, match="locked by another program"):
            await record(TelegramLedger(sqlite_database), incoming())
        other.rollback()
    _, is_new = await record(TelegramLedger(sqlite_database), incoming())
    assert is_new


async def test_a_lock_is_waited_for_and_not_for_a_caller_that_was_cancelled(
    sqlite_database: Database, tmp_path: Path
) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "earshot.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(record(TelegramLedger(sqlite_database), incoming()))
        cancelled = asyncio.create_task(record(TelegramLedger(sqlite_database), incoming()))
        await asyncio.sleep(0.6)
        began = time.monotonic()
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert time.monotonic() - began < 1
        assert not waiting.done()
        other.rollback()
    _, is_new = await waiting
    assert is_new


async def test_a_disk_that_takes_no_more_is_a_fault_with_its_remedy(sqlite_database: Database) -> None:
    async with sqlite_database.reading() as connection:
        await connection.execute(text("PRAGMA max_page_count = 1"))  # SQLite makes of it what there is already
    with pytest.raises(DatabaseFull, match="Make room"):
        await _record(TelegramLedger(sqlite_database), 500)


async def _record(ledger: TelegramLedger, count: int) -> None:
    for _ in range(count):
        await record(ledger, incoming())


async def test_a_database_of_a_newer_program_is_not_touched(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    async with database.writing() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseTooNew, match="9999"):
        await open_database(database_url, tmp_path)


async def test_a_server_that_is_not_there_is_a_clear_fault(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnreachable, match=r"database\.url") as fault:
        await open_database("postgresql://earshot:secret@127.0.0.1:9/earshot", tmp_path)
    assert "secret" not in str(fault.value)


async def test_a_server_that_demands_a_password_says_so(postgres_url: str) -> None:
    with pytest.raises(DatabaseUnreachable, match="password authentication failed"):
        await open_database(postgres_url.replace("//earshot@", f"//{GUARDED}:wrong@"), Path())


async def test_a_server_without_that_database_says_so(postgres_server: Postgres) -> None:
    with pytest.raises(DatabaseUnreachable, match="nowhere"):
        await open_database(postgres_server.url_of("nowhere"), Path())
