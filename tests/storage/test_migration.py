"""A database of the shape that versions up to revision 0002 wrote, brought up to date, on SQLite and PostgreSQL."""

import asyncio
import shutil
import sqlite3
import stat
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, MetaData, Table, select, text
from sqlalchemy.ext.asyncio import create_async_engine
from structlog.testing import capture_logs

import storage.database
from storage.database import Database, migrate_database, open_database
from storage.errors import DatabaseOutdated, DatabaseTooNew
from storage.migration import MIGRATIONS, latest_revision
from storage.note import State
from storage.tables import accounts
from storage.telegram.ledger import TelegramLedger
from storage.telegram.message import account_of_user
from tests.storage.samples import BOT, DOOR, incoming, record, transcript
from tests.storage.totals import assert_totals_are_right

UPGRADE = command.upgrade
BEFORE = datetime(2026, 3, 4, 5, 6, 7, 890, tzinfo=UTC)
PLACES: dict[str, dict[str, object]] = {
    "queued": {"state": "queued", "language": "ru", "status_message_id": 100},
    "processing": {"state": "processing", "fence": 1, "tries": 1, "worker": "dead", "beat_at": BEFORE},
    "untold": {"state": "done", "fence": 1, "finished_at": BEFORE, "audio_s": 2.5, "engine_s": 0.25, "options": "o"},
    "told": {"state": "done", "finished_at": BEFORE, "audio_s": 4.0, "engine_s": 1.0, "delivered_at": BEFORE},
    "undeliverable": {"state": "done", "finished_at": BEFORE, "audio_s": 1.0, "undeliverable": "blocked"},
    "failed": {"state": "failed", "finished_at": BEFORE, "error_code": "timeout", "error_params": {"limit_s": 1}},
    "cancelled": {"state": "cancelled", "finished_at": BEFORE, "delivered_at": BEFORE},
    "moved": {"state": "done", "chat_id": -5, "moved_to": -1005, "finished_at": BEFORE, "delivered_at": BEFORE},
}
IDS = {place: f"660890fbe9{number:06x}" for number, place in enumerate(PLACES)}
RECORDINGS = {
    "processing": f"2026-03-04_1017_{IDS['processing']}.ogg",
    "told": f"2026-03-04_999_{IDS['told']}.ogg",
    "failed": f"2026-03-05_003_{IDS['failed']}.mp3",
}


def _write_old_ledger(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "0002")
    tables = MetaData()
    notes, transcripts, replies = (
        Table(name, tables, autoload_with=connection) for name in ("notes", "transcripts", "replies")
    )
    for number, (place, of) in enumerate(PLACES.items()):
        key: dict[str, object] = {
            "id": IDS[place],
            "message_id": number,
            "received_at": BEFORE + timedelta(seconds=number),
        }
        connection.execute(notes.insert().values({**_plain(), **key, **of, "recording": RECORDINGS.get(place)}))
        reply = {"note_id": IDS[place], "run": 0, "part": 0, "bot_id": BOT, "chat_id": 7, "message_id": 100 + number}
        connection.execute(replies.insert().values(reply))
    told = {"note_id": IDS["untold"], "transcript": transcript("kept").to_json(), "text": ""}
    connection.execute(transcripts.insert().values(told))


def _plain() -> dict[str, object]:
    counts = dict.fromkeys(("fence", "tries", "run"), 0)
    names = {"kind": "voice", "file_id": "f", "file_unique_id": "u", "locale": "en", "hotwords": "[]", "preview": ""}
    return {"bot_id": BOT, "chat_id": 7, "user_id": 5, "queued_at": BEFORE, **counts, **names}


@pytest.fixture(scope="session")
def old_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An old ledger in SQLite, to be copied."""
    path = tmp_path_factory.mktemp("old") / "ledger.db"
    asyncio.run(_write_old_ledger_at(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture
async def old_url(empty_url: str, old_file: Path) -> str:
    if empty_url.startswith("sqlite"):
        shutil.copy(old_file, empty_url.partition("///")[2])
    else:
        await _write_old_ledger_at(empty_url)
    return empty_url


async def _write_old_ledger_at(url: str) -> None:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(_write_old_ledger)
    await engine.dispose()


@pytest.fixture
async def migrated(old_url: str, tmp_path: Path) -> AsyncIterator[Database]:
    assert (await migrate_database(old_url, tmp_path))[1] == "0002"
    database = await open_database(old_url, tmp_path)
    yield database
    await database.close()


async def test_notes_of_an_old_ledger_keep_all_they_had(migrated: Database) -> None:
    ledger = TelegramLedger(migrated)
    notes = {place: await ledger.telegram_note(note_id) for place, note_id in IDS.items()}
    for place, note in notes.items():
        assert note is not None
        assert {name: value for name, value in PLACES[place].items() if getattr(note, name, value) != value} == {}
        found = await ledger.by_message(BOT, 7, 100 + [*IDS].index(place))
        assert found == note
    assert notes["queued"] is not None
    assert (notes["queued"].door, notes["queued"].account) == (DOOR, account_of_user(5))
    assert (notes["queued"].sound_key, notes["queued"].request) == ("telegram:u", {"language": "ru"})
    assert notes["untold"] is not None
    assert notes["untold"].request == {}
    assert await ledger.transcript(notes["untold"].id) == transcript("kept")
    await assert_totals_are_right(migrated)


async def test_notes_of_an_old_ledger_go_on_to_their_end(migrated: Database) -> None:
    ledger = TelegramLedger(migrated)
    assert set(await ledger.orphaned(0)) == {IDS[place] for place in ("queued", "processing")}
    assert set(await ledger.due_deliveries(DOOR, 10)) == {IDS[place] for place in ("untold", "failed")}
    for place in ("queued", "processing"):
        taken = await ledger.claim(IDS[place], "worker")
        assert taken is not None
        assert await ledger.finish(taken.id, taken.fence, transcript(), engine_s=1, digest="d")
    for place in ("queued", "processing", "untold", "failed"):
        assert await ledger.mark_delivered(IDS[place])
    assert await ledger.orphaned(0) == []
    assert (await ledger.retry(IDS["undeliverable"], {})).state is State.QUEUED
    assert await ledger.delete(IDS["cancelled"])
    await assert_totals_are_right(migrated)


async def test_new_notes_wait_behind_those_of_their_account_in_an_old_ledger(migrated: Database) -> None:
    ledger = TelegramLedger(migrated)
    old = await ledger.get(IDS["queued"])
    own, other = [(await record(ledger, incoming(message_id=1000 + user_id, user_id=user_id)))[0] for user_id in (5, 6)]
    assert old is not None
    assert old.tag < other.tag < own.tag
    async with migrated.reading() as connection:
        kept = (await connection.execute(select(accounts).order_by(accounts.c.id))).all()
    assert [row.id for row in kept] == ["telegram:5", "telegram:6"]
    assert kept[0].created_at == BEFORE < kept[0].last_note_at


async def test_new_notes_come_before_those_of_an_old_ledger(migrated: Database) -> None:
    ledger = TelegramLedger(migrated)
    first, _ = await record(ledger, incoming(message_id=1000))
    again, is_new = await record(ledger, incoming(message_id=0))
    assert (again.id, is_new) == (IDS["queued"], False)
    newest = [first.id, *(IDS[place] for place in reversed(PLACES) if place != "moved")]
    assert [note.id for note in (await ledger.page(BOT, 7, 0)).notes] == newest
    assert [note.id for note in await ledger.recent()][1:] == list(reversed(IDS.values()))
    assert [note.id for note in (await ledger.page(BOT, -1005, 0)).notes] == [IDS["moved"]]


async def test_recordings_of_an_old_ledger_are_awaited_and_their_numbers_are_taken(migrated: Database) -> None:
    ledger = TelegramLedger(migrated)
    assert await ledger.awaited_recordings("store", IDS.values()) == {IDS["told"], IDS["failed"]}
    found = await ledger.claim_recordings("store", [*IDS.values()])
    assert {one.note_id: one.key for one in found} == {IDS[place]: RECORDINGS[place] for place in ("told", "failed")}
    taken = await ledger.claim(IDS["processing"], "worker")
    assert taken is not None
    assert await ledger.finish(taken.id, taken.fence, transcript(), engine_s=1, digest="d")
    assert {one.key.rpartition(".")[0] for one in await ledger.claim_unwritten("store")} == {
        f"2026-03-04_1018_{taken.id}"
    }


async def test_foreign_keys_are_checked_after_a_migration(migrated: Database) -> None:
    async with migrated.writing() as connection:
        await connection.execute(text("DELETE FROM notes WHERE id = :id"), {"id": IDS["untold"]})
        left = "SELECT count(*) FROM transcripts"
        assert (await connection.execute(text(left))).scalar_one() == 0


@pytest.mark.parametrize("empty_url", ["sqlite"], indirect=True)
async def test_a_sqlite_file_is_copied_before_it_is_migrated(old_url: str, tmp_path: Path) -> None:
    with capture_logs() as logs:
        for before in ("0002", latest_revision()):
            assert await migrate_database(old_url, tmp_path) == (f"{tmp_path}/ledger.db", before)
    copy = tmp_path / "earshot.revision-0002.db"
    assert [(entry["event"], entry["file"]) for entry in logs] == [("database_backed_up", str(copy))]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with closing(sqlite3.connect(copy)) as database:
        assert database.execute("SELECT version_num FROM alembic_version").fetchall() == [("0002",)]
        assert database.execute("SELECT count(*) FROM notes").fetchone() == (len(PLACES),)


async def test_an_old_ledger_is_left_as_it_is_by_all_but_the_migration(old_url: str, tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(DatabaseOutdated, match=r"revision is 0002.*run `earshot migrate`"):
            await open_database(old_url, tmp_path)


async def test_a_migration_makes_the_tables_of_an_empty_database(empty_url: str, tmp_path: Path) -> None:
    assert (await migrate_database(empty_url, tmp_path))[1] is None
    await (await open_database(empty_url, tmp_path)).close()


async def test_a_migration_leaves_a_newer_ledger_alone(migrated: Database, old_url: str, tmp_path: Path) -> None:
    async with migrated.writing() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseTooNew, match="9999"):
        await migrate_database(old_url, tmp_path)


async def test_a_new_sqlite_file_is_not_copied(tmp_path: Path) -> None:
    with capture_logs() as logs:
        await (await open_database("", tmp_path)).close()
    assert logs == []


@pytest.mark.parametrize("empty_url", ["sqlite"], indirect=True)
async def test_a_migration_that_fails_changes_nothing(
    old_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(command, "upgrade", _upgrade_and_fail)
        with pytest.raises(ZeroDivisionError):
            await migrate_database(old_url, tmp_path)
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as file:
        assert file.execute("SELECT version_num FROM alembic_version").fetchall() == [("0002",)]
    await migrate_database(old_url, tmp_path)
    database = await open_database(old_url, tmp_path)
    assert await TelegramLedger(database).get(IDS["told"]) is not None
    await database.close()


@pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)
async def test_a_migration_may_take_longer_than_any_other_command(
    old_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage.database, "COMMAND_TIMEOUT_S", 1)
    with monkeypatch.context() as slow:
        slow.setattr(command, "upgrade", _upgrade_slowly)
        await migrate_database(old_url, tmp_path)


def _upgrade_slowly(config: Config, revision: str) -> None:
    config.attributes["connection"].execute(text("SELECT pg_sleep(2)"))
    UPGRADE(config, revision)


def _upgrade_and_fail(config: Config, revision: str) -> None:
    UPGRADE(config, revision)
    raise ZeroDivisionError
