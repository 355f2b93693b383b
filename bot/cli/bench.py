"""`earshot bench`: speed and memory of the model that is set, on this machine; or accuracy on one's own clips."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import click

from bot.bench.accuracy import Clip, ErrorRates, measure_clips, rate_rows, read_manifest
from bot.bench.machine import machine
from bot.bench.report import Line, markdown, table
from bot.bench.speed import SpeedTest, Workload
from bot.bench.termination import exit_on_signals
from bot.cli.startup import start_command
from bot.config.request_defaults import default_request
from bot.process.fast_import import garbage_collection_paused
from bot.process.model_setup import fetch_missing
from engine import Engine, EngineSettings, pull_sample

QUICK_NOTES, QUICK_HOUR_S = 24, 300.0


@click.command()
@click.option(
    "--clips", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Measure accuracy on these."
)
@click.option("--quick", is_flag=True, help="Fewer notes, five minutes in place of the hour.")
@click.option("--notes", type=click.IntRange(min=1), default=200, show_default=True, help="Short voice notes.")
@click.option("--hour-s", type=click.FloatRange(min=0), default=3600, show_default=True, help="Seconds of the hour.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), help="What is set by default.")
@click.option("--precision", type=click.Choice(["fp32", "int8", "bf16"]), help="What is set by default.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Also write a Markdown table.")
def command(  # noqa: PLR0913 - one parameter for each of its options
    *,
    clips: Path | None,
    quick: bool,
    notes: int,
    hour_s: float,
    device: str | None,
    precision: str | None,
    out: Path | None,
) -> int:
    """Measure how fast the model is here and what memory it takes; or its accuracy with --clips.

    The last line of the output is JSON. --clips takes a folder with recordings and a manifest.tsv.
    """
    asked = {"device": device, "precision": precision}
    settings = start_command("bench").engine.model_copy(update={name: value for name, value in asked.items() if value})
    if quick:
        notes, hour_s = min(notes, QUICK_NOTES), min(hour_s, QUICK_HOUR_S)
    return measure_speed(settings, notes, hour_s, out) if clips is None else measure_accuracy(settings, clips, out)


def measure_speed(settings: EngineSettings, notes: int, hour_s: float, out: Path | None) -> int:
    """Let the engine read as a worker does, and show how long that took; after a signal, what was done by then."""
    request = default_request(settings)
    engine, opened_s = open_engine(settings)
    test = SpeedTest(engine, request, tell)
    workload = Workload(recording=pull_sample(settings.models_dir), notes=notes, long_s=hour_s)
    lines = [Line(figure="start", what="opening the model", value=opened_s, unit="s")]
    code = 0
    try:
        with exit_on_signals(), tempfile.TemporaryDirectory(prefix="earshot-bench-") as folder:
            lines.extend(test.measure(workload, Path(folder)))
    except SystemExit as ended:
        tell("interrupted; this is what was done by then")
        code = int(ended.code or 0)
    show([line.cells for line in lines], ("figure", "what", "value"), out)
    asked = {"device": settings.device, "precision": settings.precision, "notes": notes, "hour_s": hour_s}
    figures = [asdict(line) for line in lines]
    click.echo(json.dumps({"model": engine.model, **asked, **machine(), "figures": figures}, ensure_ascii=False))
    return code


def open_engine(settings: EngineSettings) -> tuple[Engine, float]:
    """Load all that a worker loads, and tell how many seconds the model took; it is fetched and prepared before."""
    fetch_missing(settings)
    with garbage_collection_paused():
        import_module("bot.process.worker")
    begun = time.perf_counter()
    return Engine.open(settings), time.perf_counter() - begun


def measure_accuracy(settings: EngineSettings, folder: Path, out: Path | None) -> int:
    """Read the clips of a folder, and show the error rates by language."""
    clips = read_manifest(folder)
    fetch_missing(settings)
    engine = Engine.open(settings)
    known = [clip for clip in clips if clip.language in engine.languages]
    if not known:
        raise click.ClickException(f"the model {engine.model} knows none of the languages of these clips")
    if len(known) < len(clips):
        tell(f"  left out, because {engine.model} does not know their language: {len(clips) - len(known)} clips")
    unread: list[str] = []

    def tell_rates(clip: Clip, rates: ErrorRates) -> None:
        tell(f"  {clip.path.name}: WER {rates.wer:.1%}, CER {rates.cer:.1%}")

    def tell_unread(clip: Clip, reason: str) -> None:
        unread.append(clip.path.name)
        tell(f"  {clip.path.name}: not counted: {reason}")

    found = measure_clips(engine, known, tell_rates, tell_unread)
    show(rate_rows(found), ("language", "clips", "WER", "CER"), out)
    rates = {language: asdict(one) for language, one in found.items()}
    click.echo(json.dumps({"model": engine.model, "accuracy": rates, "unread": unread}))
    return 1 if unread else 0


def show(rows: Sequence[Sequence[str]], head: Sequence[str], out: Path | None) -> None:
    """Print a table, and write it in Markdown if a file is named."""
    click.echo(table(rows, head))
    if out is not None:
        out.write_text(markdown(rows, head) + "\n", encoding="utf-8")


def tell(line: str) -> None:
    """Tell how far it is."""
    click.echo(line, err=True)
