"""Converts errors of the database into faults that name the remedy. Knows nothing of connections and tables.

PostgreSQL's errors are told apart by their SQLSTATE, SQLite's by their result code. A `DatabaseFault` passes, so that
trying again is right; a `ValueNotStorable` does not. What is neither is a mistake of the program and raised as it is.
"""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, NotSupportedError, TimeoutError as PoolTimeout

from engine import Fault
from storage.errors import (
    DatabaseBusy,
    DatabaseDamaged,
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

READ_ONLY = "25006"
# By the beginning of the SQLSTATE: a class has two characters, a condition five. The longest that fits counts.
BY_SQLSTATE: dict[str, type[Fault] | None] = {
    "08": DatabaseUnreachable,
    "0A": DatabasePlanStale,
    "22": ValueNotStorable,
    "23": None,
    "23502": DatabaseSchemaChanged,  # a column that must not be null and that this program does not know
    "23514": ValueNotStorable,
    READ_ONLY: DatabaseReadOnly,
    "25P03": DatabaseUnreachable,
    "26": DatabasePlanStale,
    "28": DatabaseUnreachable,
    "3D": DatabaseUnreachable,
    "3F": DatabaseSchemaChanged,
    "40": DatabaseBusy,
    "42": DatabaseSchemaChanged,
    "42501": DatabaseFault,
    "42P05": DatabasePlanStale,
    "53": DatabaseExhausted,
    "53100": DatabaseFull,
    "54": ValueNotStorable,  # such as a text that is too long for an index
    "55": DatabaseBusy,
    "57": DatabaseUnreachable,
    "57014": DatabaseBusy,
    "58030": DatabaseFull,
}
# By the result code of SQLite; an extended code counts before the primary code that is its last byte.
BY_SQLITE_CODE: dict[int, type[Fault] | None] = {
    sqlite3.SQLITE_AUTH: DatabaseNotWritable,
    sqlite3.SQLITE_BUSY: DatabaseBusy,
    sqlite3.SQLITE_CANTOPEN: DatabaseNotWritable,
    sqlite3.SQLITE_CONSTRAINT: None,
    sqlite3.SQLITE_CONSTRAINT_CHECK: ValueNotStorable,
    sqlite3.SQLITE_CONSTRAINT_NOTNULL: DatabaseSchemaChanged,  # as 23502
    sqlite3.SQLITE_CORRUPT: DatabaseDamaged,
    sqlite3.SQLITE_ERROR: DatabaseSchemaChanged,  # no such table, no such column
    sqlite3.SQLITE_FULL: DatabaseFull,
    sqlite3.SQLITE_IOERR: DatabaseFull,  # also at a quota or a limit on the size of files
    sqlite3.SQLITE_LOCKED: DatabaseBusy,
    sqlite3.SQLITE_MISMATCH: ValueNotStorable,
    sqlite3.SQLITE_NOMEM: DatabaseExhausted,
    sqlite3.SQLITE_NOTADB: DatabaseDamaged,
    sqlite3.SQLITE_PERM: DatabaseNotWritable,
    sqlite3.SQLITE_PROTOCOL: DatabaseBusy,  # another process was stopped in the middle of a short critical section
    sqlite3.SQLITE_READONLY: DatabaseNotWritable,
    sqlite3.SQLITE_SCHEMA: DatabasePlanStale,
    sqlite3.SQLITE_TOOBIG: ValueNotStorable,
}
DISK_ERRORS = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


@contextmanager
def database_faults(where: str) -> Iterator[None]:
    """Convert the errors of the database that `where` names.

    Raises:
        DatabaseFault: the database does not work now.
        ValueNotStorable: it can never store what it was given.
    """
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseBusy(where=where) from error
    except (OverflowError, UnicodeEncodeError) as error:  # what sqlite3 says of a number or a text that it cannot bind
        raise ValueNotStorable(where=where, reason=str(error)) from error
    except (DBAPIError, OSError, sqlite3.Error) as error:
        cause = getattr(error, "orig", None) or error
        # asyncpg notices by itself that a plan is stale, so that there is no SQLSTATE.
        fault = DatabasePlanStale if isinstance(error, NotSupportedError) else _fault_of(cause)
        if fault is None:
            raise
        raise _sentence(fault, where, cause) from error


def discard_read_only_connections(context: ExceptionContext) -> None:
    """Have SQLAlchemy close all connections of the pool once one is read-only: the server is a standby now."""
    if getattr(context.original_exception, "sqlstate", None) == READ_ONLY:
        context.is_disconnect = True


def _fault_of(cause: BaseException) -> type[Fault] | None:
    sqlstate = getattr(cause, "sqlstate", None)
    if sqlstate is not None:
        known = (sqlstate[:length] for length in (5, 2) if sqlstate[:length] in BY_SQLSTATE)
        return BY_SQLSTATE[key] if (key := next(known, None)) else DatabaseFault
    code = getattr(cause, "sqlite_errorcode", None)
    if code is not None:
        return BY_SQLITE_CODE.get(code, BY_SQLITE_CODE.get(code & 0xFF, DatabaseFault))
    if isinstance(cause.__cause__, ValueError):  # asyncpg could not encode a value
        return ValueNotStorable
    if isinstance(cause, sqlite3.ProgrammingError):
        return None
    return DatabaseFull if getattr(cause, "errno", None) in DISK_ERRORS else DatabaseUnreachable


def _sentence(fault: type[Fault], where: str, cause: BaseException) -> Fault:
    told = str(cause.__cause__ or cause) or type(cause).__name__
    return fault(where=where, reason=told.partition("\n")[0])
