"""What several commands begin with: the settings and the log; and how they end: in JSON."""

import json

import click

from bot.config.loading import read_settings
from bot.config.log import configure_logging
from bot.config.request_defaults import default_request
from bot.config.settings import Settings
from bot.process.parent_watch import stop_when_parent_exits
from bot.process.signals import exit_on_signal_until_ready
from bot.telegram.errors import TokenMissing


def start_command(role: str) -> Settings:
    """Read the settings and begin to log."""
    settings = read_settings()
    configure_logging(settings, role)
    return settings


def start_service(role: str, *, until_stdin_closes: bool) -> Settings:
    """Begin a program that talks to Telegram until it is told to stop, or until its parent ends.

    Raises:
        TokenMissing: it could not talk to Telegram.
        HotwordsUnreadable: the list of hotwords cannot be read, which is told before a model is fetched.
    """
    exit_on_signal_until_ready()
    if until_stdin_closes:
        stop_when_parent_exits()
    settings = start_command(role)
    if not settings.telegram.token.get_secret_value():
        raise TokenMissing
    default_request(settings.engine)
    return settings


def print_json(value: object) -> None:
    """Print for programs to read."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))
