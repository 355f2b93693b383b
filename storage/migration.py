"""Migrates the tables. Alembic takes long to import, and is loaded only if there is something to change."""

from pathlib import Path

from sqlalchemy import Connection

from storage.errors import DatabaseTooNew

MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(connection: Connection, where: str) -> None:
    """Run the migrations that the database, which messages call `where`, lacks.

    Raises:
        DatabaseTooNew: a newer Earshot has already changed it.
    """
    if current_revision(connection) != latest_revision():
        _run_alembic(connection, where)


def latest_revision() -> str:
    """Return the number of the last migration, with which its file name begins."""
    return max(path.name for path in (MIGRATIONS / "versions").glob("[0-9]*.py")).partition("_")[0]


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
