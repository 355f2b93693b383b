"""Opens and migrates the database, and converts its errors into faults. Knows nothing of notes."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

from filelock import AsyncFileLock
from sqlalchemy import Connection, Table, event, func, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from storage.database_errors import database_faults, discard_read_only_connections
from storage.database_url import DatabaseAddress, read_database_url
from storage.migration import check_revision, create_or_check, current_revision, migrate
from storage.settings import POOL_SIZE
from storage.uninterruptible import caller_has_cancelled

BUSY_TIMEOUT_S = 10.0
BUSY_STEP_S = 0.25  # SQLite itself waits for a lock in a thread, which nobody can call back
COMMAND_TIMEOUT_S = 15.0  # a server that vanished from the network never answers
MAX_IDLE_S = 60.0  # firewalls and balancers forget connections after some minutes
ADVISORY_LOCK = 0x0EA1_5407  # any number, the same in every process that migrates
_transaction: ContextVar[tuple["Database | None", AsyncConnection | None]] = ContextVar(
    "_transaction", default=(None, None)
)
_alembic = asyncio.Lock()  # Alembic keeps its state in globals

Result = TypeVar("Result")


class Database:
    """An open database of this version, made by `open_database`. `where` names it in messages, without a password."""

    def __init__(self, engine: AsyncEngine, where: str) -> None:
        """Wrap an SQLAlchemy engine."""
        self._engine = engine
        self.where = where

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Open a read transaction, which sees one state of the tables, or use that of `transaction`.

        Raises:
            DatabaseFault: the database does not work now.
        """
        if (connection := self._shared()) is not None:
            yield connection
            return
        with database_faults(self.where):
            async with self._engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Open a write transaction, or use that of `transaction`: all of it is committed, or nothing.

        Raises:
            DatabaseFault: the database does not work now; nothing was written.
        """
        if (connection := self._shared()) is not None:
            yield connection
            return
        with database_faults(self.where):
            async with self._engine.connect() as connection, _write_transaction(connection):
                yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Let all reading and writing inside the block be one write transaction. Nothing else may be awaited in it.

        Raises:
            DatabaseFault: the database does not work now; nothing was written.
        """
        async with self.writing() as connection:
            before = _transaction.set((self, connection))
            try:
                yield
            finally:
                _transaction.reset(before)

    def _shared(self) -> AsyncConnection | None:
        database, connection = _transaction.get()
        return connection if database is self else None

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()


async def open_database(url: str, data_dir: Path, pool_size: int = POOL_SIZE) -> Database:
    """Open the database at `url`, or SQLite in `data_dir` if that is empty. An empty one gets its tables.

    `pool_size` is the highest number of connections to PostgreSQL.

    Raises:
        DatabaseFault: it cannot be opened, or is not of this version; with the remedy.
    """
    address = read_database_url(url, data_dir)
    database = Database(_engine(address, pool_size, COMMAND_TIMEOUT_S), address.where)
    try:
        with database_faults(database.where):
            await _create_or_check(database, address, data_dir)
    except BaseException:
        await database.close()
        raise
    return database


async def migrate_database(url: str, data_dir: Path) -> tuple[str, str | None]:
    """Bring the database up to date, however long that takes; return its name and the revision that it had before.

    Raises:
        DatabaseFault: it cannot be opened or changed, with the remedy.
    """
    address = read_database_url(url, data_dir)
    with database_faults(address.where):
        return address.where, await _change(address, data_dir, migrate)


def _engine(address: DatabaseAddress, pool_size: int, command_timeout_s: float | None) -> AsyncEngine:
    if not address.is_sqlite:
        options = {"command_timeout": command_timeout_s, **address.options}
        engine = create_async_engine(address.url, pool_size=pool_size, max_overflow=0, connect_args=options)
        event.listen(engine.sync_engine, "checkin", _note_when_used)
        event.listen(engine.sync_engine, "checkout", _replace_if_broken)
        event.listen(engine.sync_engine, "handle_error", discard_read_only_connections)
        if address.hosts:
            event.listen(engine.sync_engine, "do_connect", partial(_connect_to_first, address.hosts))
        return engine
    _make_private_file(Path(address.where))
    engine = create_async_engine(address.url, connect_args={"timeout": BUSY_STEP_S})
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _note_when_used(_: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
    record.info["used_at"] = monotonic()


def _replace_if_broken(connection: DBAPIConnection, record: ConnectionPoolEntry, _: PoolProxiedConnection) -> None:
    """Have the pool open another connection where this one is closed, or idle for so long that it may be cut silently.

    Unlike a ping before every use, this asks nothing of the server.
    """
    idle_s = monotonic() - record.info.get("used_at", monotonic())
    if connection.driver_connection.is_closed() or idle_s > MAX_IDLE_S:
        raise DisconnectionError


def _connect_to_first(
    hosts: Sequence[tuple[str, int]], dialect: Dialect, _: ConnectionPoolEntry, args: list[Any], options: dict[str, Any]
) -> DBAPIConnection:
    """Connect to the first host that can be used; each has the whole time limit, as with PostgreSQL's own programs."""
    *others, last = hosts
    for host, port in others:
        with suppress(Exception):  # whatever is wrong with it, another one may do
            return dialect.connect(*args, **options, host=host, port=port)
    host, port = last
    return dialect.connect(*args, **options, host=host, port=port)


def insert_into(connection: AsyncConnection, table: Table) -> "sqlite.Insert | postgresql.Insert":
    """Begin an INSERT of the database's own kind, which knows ON CONFLICT."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    return insert(table)


async def lock_until_end(connection: AsyncConnection, name: str) -> None:
    """Let transactions that lock the same name come one after the other; those of SQLite do anyway."""
    if connection.dialect.name != "sqlite":
        await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


@asynccontextmanager
async def _write_transaction(connection: AsyncConnection) -> AsyncIterator[None]:
    """Begin a transaction that writes, once SQLite's lock is free; commit it at the end of the block."""
    await connection.execution_options(earshot_writes=True)
    latest = monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            transaction = await connection.begin()
            break
        except OperationalError as error:
            is_locked = getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
            if not is_locked or monotonic() > latest or caller_has_cancelled():
                raise
    async with AsyncExitStack() as stack:
        stack.push_async_exit(transaction)  # which has begun already
        yield


def _make_private_file(path: Path) -> None:
    with database_faults(str(path)):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # transactions begin where `_begin_sqlite` says, not where Python guesses
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads before it writes is refused at once when another has written in between, however long
    # the busy timeout is. One that takes the write lock at its beginning waits its turn.
    options = connection.get_execution_options()
    if options.get("earshot_migrates", False):  # else a table that is replaced takes the rows that refer to it along
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("earshot_writes", False) else "BEGIN")


async def _create_or_check(database: Database, address: DatabaseAddress, data_dir: Path) -> None:
    if not address.is_sqlite:
        async with database.reading() as connection:
            revision = await connection.run_sync(current_revision)
        if revision is not None:
            check_revision(revision, address.where)
            return
    await _change(address, data_dir, create_or_check)


async def _change(address: DatabaseAddress, data_dir: Path, step: Callable[[Connection, Path, str], Result]) -> Result:
    """Run `step` in a transaction, alone among all processes and without a time limit for a command."""
    engine = _engine(address, pool_size=1, command_timeout_s=None)
    try:
        async with _alembic, _alone(engine, address, data_dir) as connection:
            return await connection.run_sync(step, data_dir, address.where)
    finally:
        await engine.dispose()


@asynccontextmanager
async def _alone(engine: AsyncEngine, address: DatabaseAddress, data_dir: Path) -> AsyncIterator[AsyncConnection]:
    if not address.is_sqlite:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ADVISORY_LOCK})
            yield connection
        return
    await asyncio.to_thread(data_dir.mkdir, mode=0o700, parents=True, exist_ok=True)
    # One process at a time opens SQLite: switching to WAL ignores the busy timeout.
    lock = AsyncFileLock(data_dir / ".opening", mode=0o600)
    async with lock, engine.connect() as connection:
        await connection.execution_options(earshot_migrates=True)
        async with _write_transaction(connection):
            yield connection
