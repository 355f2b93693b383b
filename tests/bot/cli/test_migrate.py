"""`earshot migrate`, and what the other commands say to a database that is not up to date."""

import sqlite3
from contextlib import closing
from pathlib import Path

from storage.migration import latest_revision
from tests.bot.cli.conftest import Earshot


def test_an_empty_database_gets_its_tables_and_stays_as_it_is_after_that(earshot: Earshot) -> None:
    first, second = earshot("migrate"), earshot("migrate")
    assert (first.returncode, second.returncode) == (0, 0)
    assert first.stdout.endswith(f"is brought up to date: from nothing to revision {latest_revision()}\n")
    assert second.stdout.endswith(f"is up to date: revision {latest_revision()}\n")


def test_other_commands_refuse_an_older_database_and_say_what_to_do(earshot: Earshot, tmp_path: Path) -> None:
    assert earshot("queue").returncode == 0  # which makes the tables of a new one
    with closing(sqlite3.connect(tmp_path / "data" / "earshot.db")) as file, file:
        file.execute("UPDATE alembic_version SET version_num = '0002'")
    refused = earshot("queue")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "was made by an older Earshot" in refused.stderr
    assert "run `earshot migrate`" in refused.stderr
    assert refused.stderr.count("\n") == 1
