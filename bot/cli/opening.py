"""What several commands begin with: the settings, the log, the ledger."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import click

from bot.log import set_up_log
from bot.settings import Settings
from bot.settings_reading import read_settings
from storage.database import open_database
from storage.ledger import Ledger


def begin(role: str) -> Settings:
    """Read the settings and begin to log."""
    settings = read_settings()
    set_up_log(settings, role)
    return settings


@asynccontextmanager
async def open_ledger(settings: Settings) -> AsyncIterator[Ledger]:
    """Open the ledger for as long as a command needs it."""
    database = await open_database(settings.database.url, settings.data_dir)
    try:
        yield Ledger(database)
    finally:
        await database.close()


def print_json(value: object) -> None:
    """Print for programs to read."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))
