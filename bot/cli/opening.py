"""What several commands begin with: the settings and the log; and how they end: in JSON."""

import json

import click

from bot.log import set_up_log
from bot.settings import Settings
from bot.settings_reading import read_settings


def begin(role: str) -> Settings:
    """Read the settings and begin to log."""
    settings = read_settings()
    set_up_log(settings, role)
    return settings


def print_json(value: object) -> None:
    """Print for programs to read."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))
