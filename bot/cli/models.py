"""`earshot models`: lists, downloads and verifies speech models."""

from contextlib import suppress
from pathlib import Path

import click

from bot.cli.startup import start_command
from bot.process.model_setup import FetchProgress, fetch_missing
from engine import (
    SPEAKER_MODEL,
    EngineSettings,
    ExportsClosed,
    ModelMissing,
    check_exports,
    check_verifiable,
    current_decision,
    describe_models,
    pull,
    sensevoice_loader,
)

SPEAKER_MODEL_TEXT = "CAM++: tells speakers apart, beside any of these, with engine.speakers; 28 MB"


@click.group(invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List the speech models, fetch one (pull NAME), or verify the one that is set with recordings (verify FOLDER)."""
    if ctx.invoked_subcommand is None:
        list_models()


def list_models() -> None:
    """List the names for `engine.model`, mark the one that is set, and show which are downloaded."""
    settings = start_command("models").engine
    for model in describe_models(settings.models_dir):
        mark = "*" if model.name == settings.model else " "
        click.echo(f"{mark} {model.name:14} {model.description} ({model.path or 'not here yet'})")
    voices = settings.models_dir / SPEAKER_MODEL
    click.echo(f"  {SPEAKER_MODEL:14} {SPEAKER_MODEL_TEXT} ({voices if voices.is_dir() else 'not here yet'})")
    with suppress(ModelMissing):
        if told := _precision_text(settings):
            click.echo(f"\n{told}")
    click.echo("\n* is engine.model. Fetch one with: earshot models pull NAME", err=True)


def _precision_text(settings: EngineSettings) -> str:
    try:
        check_exports(settings)
    except ExportsClosed as closed:
        return str(closed)
    decision = current_decision(settings)
    return f"{settings.model} runs in {decision.precision}: {decision.reason}" if decision else ""


@command.command("pull")
@click.argument("name")
def pull_model(name: str) -> None:
    """Fetch the model NAME."""
    settings = start_command("models").engine
    with FetchProgress() as progress:
        path = pull(name, settings.models_dir, on_progress=progress)
    click.echo(path)


@command.command("verify")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def verify_model(folder: Path) -> None:
    """Compare int8 with fp32 on the recordings in FOLDER.

    From now on int8, which is faster, is used only if it reads them as fp32 does.
    """
    settings = start_command("models").engine
    check_verifiable(settings)
    fetch_missing(settings)
    with FetchProgress() as progress:
        decision = sensevoice_loader(settings, progress).verify(folder)
    click.echo(f"{settings.model} runs in {decision.precision}: {decision.reason}")
