"""`earshot models`: which speech models there are and which are here; fetches and verifies them."""

from contextlib import suppress
from pathlib import Path

import click

from bot.cli.opening import begin
from bot.model_fetching import FetchProgress, fetch_missing
from engine.errors import ExportsClosed, ModelMissing, NothingToVerify
from engine.hub import pull
from engine.models import catalogue, locate
from engine.prepared import can_be_prepared, check_exports, decided
from engine.settings import EngineSettings
from engine.speech import preparation


@click.group(invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List the speech models, fetch one (pull NAME), or verify the one that is set with recordings (verify FOLDER)."""
    if ctx.invoked_subcommand is None:
        list_models()


def list_models() -> None:
    """List what can be named as engine.model, and mark what is set."""
    settings = begin("models").engine
    for model in catalogue(settings.models_dir):
        mark = "*" if model.name == settings.model else " "
        here = str(model.path) if model.path else ("" if model.name == "fake" else "not here yet")
        click.echo(f"{mark} {model.name:14} {model.description}{f' ({here})' if here else ''}")
    with suppress(ModelMissing):
        if told := _arithmetic(settings):
            click.echo(f"\n{told}")
    click.echo("\n* is engine.model. Fetch one with: earshot models pull NAME", err=True)


def _arithmetic(settings: EngineSettings) -> str:
    try:
        check_exports(settings)
    except ExportsClosed as closed:
        return str(closed)
    decision = decided(settings)
    return f"{settings.model} runs in {decision.precision}: {decision.reason}" if decision else ""


@command.command("pull")
@click.argument("name")
def pull_model(name: str) -> None:
    """Fetch the model NAME."""
    settings = begin("models").engine
    with FetchProgress() as progress:
        path = pull(name, settings.models_dir, on_progress=progress)
    click.echo(path)


@command.command("verify")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def verify_model(folder: Path) -> None:
    """Compare int8 with fp32 on the recordings in FOLDER, and use int8 from now on only if they are read the same."""
    settings = begin("models").engine
    if not can_be_prepared(locate(settings), settings):
        raise NothingToVerify(reason=f"{settings.model} has one arithmetic only on this machine")
    fetch_missing(settings)
    with FetchProgress() as progress:
        decision = preparation(settings, progress).verify(folder)
    click.echo(f"{settings.model} runs in {decision.precision}: {decision.reason}")
    if settings.precision != "auto":
        click.echo(f"engine.precision is {settings.precision}, which holds as long as it is set", err=True)
