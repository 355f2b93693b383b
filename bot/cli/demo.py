"""`earshot demo`: runs the whole system without a token and prints the chat."""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click

from bot.cli.startup import start_command
from bot.config.request_defaults import default_request
from bot.config.settings import Settings
from bot.demo.demo import DemoFailed, run_demo
from bot.process.model_setup import fetch_missing
from engine import pull_sample

MODEL = "EARSHOT_ENGINE__MODEL"


@click.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="[FILE...]")
@click.option("--once", is_flag=True, help="End when all is answered, also on a terminal.")
def command(*, files: tuple[Path, ...], once: bool) -> int:
    """Try it all without a token.

    Sends a sample, or FILEs, as voice notes through the whole system, with a local stand-in for Telegram, and prints
    the chat. On a terminal it then stays, so that you can talk to the bot.
    """
    settings = with_starter_model(start_command("demo"))
    default_request(settings.engine)  # a list of hotwords that cannot be read is told before anything starts
    fetch_missing(settings.engine)
    notes = files or (pull_sample(settings.engine.models_dir),)
    click.echo("Starting Earshot, with a stand-in for Telegram on this machine, and loading the model ...\n")
    stay = not once and sys.stdin.isatty() and sys.stdout.isatty()
    try:
        with tempfile.TemporaryDirectory(prefix="earshot-demo-") as folder:
            all_done = asyncio.run(run_until_stopped(settings, notes, Path(folder), stay=stay))
    except DemoFailed as reason:
        raise click.ClickException(str(reason)) from None
    except KeyboardInterrupt:
        if stay:
            return 0
        raise
    if not all_done:
        raise click.ClickException("not every recording became text; the answers above say why")
    return 0


def with_starter_model(settings: Settings) -> Settings:
    """Select the starter model, which needs no model hub, unless the environment names another one.

    Settings for another model (language, hotwords, precision) go back to their defaults with it.
    """
    if os.environ.get(MODEL):
        return settings
    small = {"model": "starter", "language": "auto", "hotwords": None, "precision": "auto"}
    return settings.model_copy(update={"engine": settings.engine.model_copy(update=small)})


async def run_until_stopped(settings: Settings, files: Sequence[Path], folder: Path, *, stay: bool) -> bool:
    """Run the demo; SIGTERM stops it like Ctrl-C."""
    demo = asyncio.current_task()
    if demo is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, demo.cancel)
    try:
        return await run_demo(settings, files, folder, stay=stay)
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
