"""`earshot bench`: speed side by side with what people would use instead, and accuracy on clips of one's own."""

from __future__ import annotations

import json
import platform
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import click

from bot.bench import peak, report
from bot.bench.accuracy import Clip, Score, by_language, read_manifest, scores
from bot.bench.contest import ContestantFailed
from bot.bench.environments import RIVALS
from bot.bench.figures import FIGURES, Bench, TextMissing, recording
from bot.bench.preparing import NotPrepared, stock_model
from bot.cli.startup import start_command
from bot.process.model_setup import fetch_missing
from engine.hub.catalogue import VAD_MODEL, is_downloaded, locate_model
from engine.hub.model_class import SENSEVOICE_CLASS, read_model_class
from engine.hub.pull import pull, pull_sample
from engine.runtime.cores import cores
from engine.runtime.cpu import cpu_flags, int8_support
from engine.settings import EngineSettings
from engine.speech import Engine

QUICK_NOTES, QUICK_HOUR_S, QUICK_ROUNDS = 24, 300.0, 2


@click.command()
@click.option(
    "--clips", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Measure accuracy on these."
)
@click.option("--only", multiple=True, type=click.Choice([*FIGURES]), help="Only this figure.")
@click.option("--quick", is_flag=True, help="A quarter of an hour: fewer notes, a shorter hour.")
@click.option("--notes", type=click.IntRange(min=1), default=200, show_default=True, help="Short voice notes.")
@click.option("--hour-s", type=click.FloatRange(min=60), default=3600, show_default=True, help="Seconds of the hour.")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="Turns of each contestant.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), help="cpu by default; with --clips, what is set.")
@click.option(
    "--precision",
    multiple=True,
    type=click.Choice(["fp32", "int8", "bf16"]),
    help="Earshot's arithmetic; all that suit the device by default; with --clips, what is set.",
)
@click.option("--without", multiple=True, type=click.Choice([rival.name for rival in RIVALS]), help="Leave one out.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Also write a Markdown table.")
def command(  # noqa: PLR0913 - one parameter for each of its options
    *,
    clips: Path | None,
    only: tuple[str, ...],
    quick: bool,
    notes: int,
    hour_s: float,
    rounds: int,
    device: str | None,
    precision: tuple[str, ...],
    without: tuple[str, ...],
    out: Path | None,
) -> int:
    """Measure speed side by side with what people would use instead; or accuracy with --clips.

    The last line of the output is JSON. --clips takes a folder with recordings and a manifest.tsv.
    """
    settings = start_command("bench").engine
    if clips is not None:
        return measure_accuracy(asked(settings, device, precision), clips, out)
    device = device or "cpu"
    if quick:
        notes, hour_s, rounds = min(notes, QUICK_NOTES), min(hour_s, QUICK_HOUR_S), min(rounds, QUICK_ROUNDS)
    with tempfile.TemporaryDirectory(prefix="earshot-bench-") as work:
        try:
            model = model_for(settings)
            bench = Bench(
                model=model,
                exported=cache_of(settings) / f"{model.name}-onnx",
                models_dir=settings.models_dir,
                cache=cache_of(settings),
                work=Path(work),
                speech=recording(pull_sample(settings.models_dir)),
                precisions=precision or (("fp32", "int8") if device == "cpu" else ("bf16",)),
                device=device,
                notes=notes,
                hour_s=hour_s,
                rounds=rounds,
                without=frozenset(without),
                tell=tell,
            )
            lines: list[report.Line] = []
            is_whole = measure(bench, only or tuple(FIGURES), lines)
        except (ContestantFailed, NotPrepared, TextMissing) as reason:
            raise click.ClickException(str(reason)) from None
    if lines:
        show([line.cells for line in lines], report.HEAD, out)
        click.echo(report.as_json(lines, about(bench)))
    if not is_whole:
        raise click.Abort
    return 0


def asked(settings: EngineSettings, device: str | None, precision: tuple[str, ...]) -> EngineSettings:
    """Put what was asked for in place of what is set."""
    if len(precision) > 1:
        raise click.UsageError("--clips reads in one precision at a time")
    wanted = {"device": device, "precision": next(iter(precision), None)}
    return settings.model_copy(update={name: value for name, value in wanted.items() if value is not None})


def measure(bench: Bench, names: Sequence[str], lines: list[report.Line]) -> bool:
    """Add the lines of one figure after the other, and tell whether nobody interrupted it."""
    try:
        for name in names:
            tell(f"{name}: {(FIGURES[name].__doc__ or '').strip().splitlines()[0]}")
            lines.extend(FIGURES[name](bench))
    except KeyboardInterrupt:
        tell("interrupted; this is what was done by then" if lines else "interrupted; nothing was done by then")
        return False
    return True


def model_for(settings: EngineSettings) -> Path:
    """Give the folder that all read with: the owner's SenseVoice if it is here, else one of our own make."""
    pull(VAD_MODEL, settings.models_dir, on_progress=lambda *_: None)
    if is_downloaded(settings) and read_model_class(locate_model(settings)) == SENSEVOICE_CLASS:
        return locate_model(settings)
    folder = cache_of(settings) / "sensevoice-random"
    tell(f"The model is a SenseVoiceSmall of full size with random weights: {folder}")
    return stock_model(folder)


def cache_of(settings: EngineSettings) -> Path:
    """Give the folder for all that takes long to make."""
    return settings.models_dir / "bench"


def about(bench: Bench) -> dict[str, object]:
    """Tell programs where and with what this was measured."""
    names = ("earshot", "funasr", "torch", "onnxruntime", "numpy")
    return {
        "model": bench.model.name,
        "device": bench.device,
        "cores": cores(),
        "processor": peak.processor(),
        "int8": int8_support(cpu_flags()),
        "python": platform.python_version(),
        "notes": bench.notes,
        "hour_s": bench.hour_s,
        "rounds": bench.rounds,
        "versions": {name: version(name) for name in names},
    }


def measure_accuracy(settings: EngineSettings, folder: Path, out: Path | None) -> int:
    """Read the clips of a folder, and show how much was wrong by language."""
    clips = read_manifest(folder)
    fetch_missing(settings)
    engine = Engine.open(settings)
    known = [clip for clip in clips if clip.language in engine.languages]
    if not known:
        raise click.ClickException(f"the model {engine.model} knows none of the languages of these clips")
    if len(known) < len(clips):
        tell(f"  left out, because {engine.model} does not know their language: {len(clips) - len(known)} clips")
    unread: list[Clip] = []

    def cannot_be_read(clip: Clip, reason: str) -> None:
        unread.append(clip)
        tell(f"  {clip.path.name}: not counted: {reason}")

    found = scores(engine, known, lambda clip, score, _: tell(said_of(clip, score)), cannot_be_read)
    show(by_language(found), ("language", "clips", "WER", "CER"), out)
    errors = {language: {"clips": one.clips, "wer": one.wer, "cer": one.cer} for language, one in found.items()}
    click.echo(json.dumps({"model": engine.model, "accuracy": errors, "unread": [clip.path.name for clip in unread]}))
    return 1 if unread else 0


def said_of(clip: Clip, score: Score) -> str:
    """Put a clip on a line."""
    return f"  {clip.path.name}: WER {score.wer:.1%}, CER {score.cer:.1%}"


def show(rows: Sequence[Sequence[str]], head: Sequence[str], out: Path | None) -> None:
    """Print a table, and write it in Markdown if a file is named."""
    click.echo(report.table(rows, head))
    if out is not None:
        out.write_text(report.markdown(rows, head) + "\n", encoding="utf-8")


def tell(line: str) -> None:
    """Tell how far it is."""
    click.echo(line, err=True)
