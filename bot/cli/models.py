"""`earshot models`: which speech models there are and which are here; fetches them."""

import click

from bot.cli.opening import begin
from bot.model_fetching import FetchProgress
from engine.hub import pull
from engine.models import catalogue


@click.group(invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List the speech models, or fetch one: earshot models pull NAME."""
    if ctx.invoked_subcommand is None:
        list_models()


def list_models() -> None:
    """List what can be named as engine.model, and mark what is set."""
    settings = begin("models").engine
    for model in catalogue(settings.models_dir):
        mark = "*" if model.name == settings.model else " "
        here = str(model.path) if model.path else ("" if model.name == "fake" else "not here yet")
        click.echo(f"{mark} {model.name:14} {model.description}{f' ({here})' if here else ''}")
    click.echo("\n* is engine.model. Fetch one with: earshot models pull NAME", err=True)


@command.command("pull")
@click.argument("name")
def pull_model(name: str) -> None:
    """Fetch the model NAME."""
    settings = begin("models").engine
    with FetchProgress() as progress:
        path = pull(name, settings.models_dir, on_progress=progress)
    click.echo(path)
