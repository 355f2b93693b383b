"""`earshot bot`: the bot alone."""

import asyncio

import click

from bot.bot_process import run_bot
from bot.cli.opening import begin
from bot.lifeline import end_with_parent


@click.command()
@click.option("--until-stdin-closes", is_flag=True, hidden=True)
def command(*, until_stdin_closes: bool) -> None:
    """Run only the bot, which talks to Telegram.

    For several machines: set redis.url and database.url to what all of them share.
    """
    if until_stdin_closes:
        end_with_parent()
    asyncio.run(run_bot(begin("bot")))
