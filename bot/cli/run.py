"""`earshot run`: runs and supervises everything on this machine."""

import asyncio

import click

from bot.cli.startup import start_service
from bot.process.child import CannotStart
from bot.process.model_setup import fetch_missing
from bot.process.supervisor import run_all


@click.command()
@click.option("--until-stdin-closes", is_flag=True, hidden=True)
def command(*, until_stdin_closes: bool) -> None:
    """Run everything on this machine: Redis, workers and the bot.

    Fetches the speech model first where it is missing. Ctrl-C or SIGTERM ends it all.
    """
    settings = start_service("run", until_stdin_closes=until_stdin_closes)
    fetch_missing(settings.engine)
    try:
        asyncio.run(run_all(settings))
    except CannotStart as reason:
        raise click.ClickException(str(reason)) from None
