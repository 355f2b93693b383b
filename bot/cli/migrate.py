"""`earshot migrate`: brings the database up to date after an update; every other command only checks that it is."""

import asyncio

import click

from bot.cli.startup import start_command
from storage.database import migrate_database
from storage.migration import latest_revision


@click.command()
def command() -> None:
    """Bring the database up to date after an update. Stop everything else that uses it first.

    Of an SQLite file, a copy is left in the data folder.
    """
    settings = start_command("migrate")
    where, before = asyncio.run(migrate_database(settings.database.url, settings.data_dir))
    latest = latest_revision()
    if before == latest:
        click.echo(f"{where} is up to date: revision {latest}")
    else:
        click.echo(f"{where} is brought up to date: from {before or 'nothing'} to revision {latest}")
