"""`earshot worker`: runs only a worker."""

import asyncio

import click

from bot.cli.startup import start_service
from bot.process.fast_import import garbage_collection_paused
from bot.process.model_setup import fetch_missing, load_engine_in_background


@click.command()
@click.option("--name", default="worker", help="What this worker is called in the log.")
@click.option("--until-stdin-closes", is_flag=True, hidden=True)
def command(*, name: str, until_stdin_closes: bool) -> None:
    """Run only a worker, which turns voice notes into text.

    For several machines: set redis.url and database.url to what all of them share.
    """
    settings = start_service(name, until_stdin_closes=until_stdin_closes)
    fetch_missing(settings.engine)
    loading = load_engine_in_background(settings.engine)
    with garbage_collection_paused():
        from bot.process.worker import run_worker_process  # noqa: PLC0415 - a second, in which the engine loads already

    asyncio.run(run_worker_process(settings, loading))
