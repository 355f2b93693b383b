"""Brings the tables up to date. Alembic takes long to import, and is loaded only where there is something to change."""

from pathlib import Path

from sqlalchemy import Connection

from storage.errors import DatabaseNewer

MIGRATIONS = Path(__file__).parent / "migrations"


def bring_up_to_date(connection: Connection) -> None:
    """Run the migrations that the database lacks.

    Raises:
        DatabaseNewer: a newer Earshot has already changed it.
    """
    if revision_of(connection) != newest_revision():
        _migrate(connection)


def newest_revision() -> str:
    """Give the number of the last migration: its file's name begins with it."""
    return max(path.name for path in (MIGRATIONS / "versions").glob("[0-9]*.py")).partition("_")[0]


def revision_of(connection: Connection) -> str | None:
    """Give the number of the last migration that the database has seen."""
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one_or_none()


def _migrate(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - as the first line of this file says
    from alembic.config import Config  # noqa: PLC0415 - as above
    from alembic.util import CommandError  # noqa: PLC0415 - as above

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        where = connection.engine.url.render_as_string()
        raise DatabaseNewer(where=where, revision=str(revision_of(connection))) from error
