"""`earshot worker`: a worker alone."""

import asyncio

import click

from bot.cli.opening import begin
from bot.lifeline import end_with_parent
from bot.model_fetching import fetch_missing
from bot.worker_process import run_worker_process


@click.command()
@click.option("--name", default="worker", help="What this worker is called in the log.")
@click.option("--until-stdin-closes", is_flag=True, hidden=True)
def command(*, name: str, until_stdin_closes: bool) -> None:
    """Run only a worker, which turns voice notes into text.

    For several machines: set redis.url and database.url to what all of them share.
    """
    if until_stdin_closes:
        end_with_parent()
    settings = begin(name)
    fetch_missing(settings.engine)
    asyncio.run(run_worker_process(settings))
