"""Migrates the tables. Alembic takes long to import, and is loaded only if there is something to change."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import structlog
from sqlalchemy import Connection

from storage.errors import DatabaseOutdated, DatabaseTooNew

MIGRATIONS = Path(__file__).parent / "migrations"

log = structlog.get_logger()


def create_or_check(connection: Connection, data_dir: Path, where: str) -> None:
    """Make the tables in an empty database; check that any other is up to date.

    Raises:
        DatabaseOutdated: an older Earshot made it.
        DatabaseTooNew: a newer Earshot has already changed it.
    """
    if (revision := current_revision(connection)) is None:
        migrate(connection, data_dir, where)
    else:
        check_revision(revision, where)


def check_revision(revision: str, where: str) -> None:
    """Check that the last migration that was run on a database is the last one there is.

    Raises:
        DatabaseOutdated: an older Earshot made it.
        DatabaseTooNew: a newer Earshot has already changed it.
    """
    if revision not in revisions():
        raise DatabaseTooNew(where=where, revision=revision)
    if revision != latest_revision():
        raise DatabaseOutdated(where=where, revision=revision)


def migrate(connection: Connection, data_dir: Path, where: str) -> str | None:
    """Run the migrations that the database, which messages call `where`, lacks; return the revision that it had.

    A copy of an older SQLite file is left in `data_dir` first.

    Raises:
        DatabaseTooNew: a newer Earshot has already changed it.
    """
    before, latest = current_revision(connection), latest_revision()
    if before == latest:
        return before
    if before is not None and before < latest and connection.dialect.name == "sqlite":
        _back_up(Path(connection.engine.url.database or ""), data_dir / f"earshot.revision-{before}.db")
    _run_alembic(connection, where)
    return before


def _back_up(source: Path, copy: Path) -> None:
    """Copy a SQLite file as it was before the open transaction, which keeps others from changing it meanwhile."""
    partial = copy.with_name(f".{copy.name}.part")
    os.close(os.open(partial, os.O_CREAT | os.O_TRUNC | os.O_RDWR, 0o600))
    try:
        with closing(sqlite3.connect(source)) as reading, closing(sqlite3.connect(partial)) as writing:
            reading.backup(writing)
        partial.replace(copy)
    finally:
        partial.unlink(missing_ok=True)
    log.info("database_backed_up", file=str(copy))


def latest_revision() -> str:
    """Return the number of the last migration."""
    return max(revisions())


def revisions() -> frozenset[str]:
    """Return the numbers of all migrations, with which their file names begin."""
    return frozenset(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def current_revision(connection: Connection) -> str | None:
    """Return the number of the last migration that was run on the database; None before the first."""
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one_or_none()


def _run_alembic(connection: Connection, where: str) -> None:
    from alembic import command  # noqa: PLC0415 - as the first line of this file says
    from alembic.config import Config  # noqa: PLC0415 - as above
    from alembic.util import CommandError  # noqa: PLC0415 - as above

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise DatabaseTooNew(where=where, revision=str(current_revision(connection))) from error
