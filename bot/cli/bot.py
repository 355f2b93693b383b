"""`earshot bot`: runs only the bot."""

import asyncio

import click

from bot.cli.startup import start_service
from bot.process.bot import run_bot


@click.command()
@click.option("--until-stdin-closes", is_flag=True, hidden=True)
def command(*, until_stdin_closes: bool) -> None:
    """Run only the bot, which talks to Telegram.

    For several machines: set redis.url and database.url to what all of them share.
    """
    asyncio.run(run_bot(start_service("bot", until_stdin_closes=until_stdin_closes)))
