"""Start-up shared by the commands: settings, log, stop signals; and printing JSON."""

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
    """Read the settings and configure the log."""
    settings = read_settings()
    configure_logging(settings, role)
    return settings


def start_service(role: str, *, until_stdin_closes: bool) -> Settings:
    """Start a long-running role that talks to Telegram: stop signals, settings, log, checks.

    Raises:
        TokenMissing: There is no bot token.
        HotwordsUnreadable: The list of hotwords cannot be read, which is told before a model is downloaded.
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
    """Print a value as JSON."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))
