"""`python -m tests.bench`: speed side by side with other programs that run the same model."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click

from bot.bench.machine import machine
from bot.bench.report import markdown, table
from bot.bench.termination import exit_on_signals
from bot.config.loading import read_settings
from engine.hub.catalogue import VAD_MODEL, is_downloaded, locate_model
from engine.hub.model_class import SENSEVOICE_CLASS, read_model_class
from engine.hub.pull import pull, pull_sample
from engine.settings import EngineSettings
from tests.bench.config import Bench
from tests.bench.contest import ContestantFailed
from tests.bench.environments import RIVALS
from tests.bench.figures import FIGURES
from tests.bench.model_setup import ModelSetupFailed, random_sensevoice
from tests.bench.report import HEAD, GoalLine, as_json
from tests.bench.rounds import TextMissing

QUICK_NOTES, QUICK_HOUR_S, QUICK_ROUNDS = 24, 300.0, 2


@click.command()
@click.option("--only", multiple=True, type=click.Choice([*FIGURES]), help="Only this figure.")
@click.option("--quick", is_flag=True, help="A quarter of an hour: fewer notes, a shorter hour.")
@click.option("--notes", type=click.IntRange(min=1), default=200, show_default=True, help="Short voice notes.")
@click.option("--hour-s", type=click.FloatRange(min=30), default=3600, show_default=True, help="Seconds of the hour.")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="Turns of each contestant.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option(
    "--precision",
    multiple=True,
    type=click.Choice(["fp32", "int8", "bf16"]),
    help="Earshot's arithmetic; all that suit the device by default.",
)
@click.option("--without", multiple=True, type=click.Choice([rival.name for rival in RIVALS]), help="Leave one out.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Also write a Markdown table.")
def main(  # noqa: PLR0913 - one parameter for each of its options
    *,
    only: tuple[str, ...],
    quick: bool,
    notes: int,
    hour_s: float,
    rounds: int,
    device: str,
    precision: tuple[str, ...],
    without: tuple[str, ...],
    out: Path | None,
) -> None:
    """Measure speed side by side with other programs. The last line of the output is JSON."""
    settings = read_settings().engine
    if quick:
        notes, hour_s, rounds = min(notes, QUICK_NOTES), min(hour_s, QUICK_HOUR_S), min(rounds, QUICK_ROUNDS)
    lines: list[GoalLine] = []
    code = 0
    try:
        with exit_on_signals(), tempfile.TemporaryDirectory(prefix="earshot-bench-") as work:
            model = find_model(settings)
            bench = Bench(
                model=model,
                exported=cache_folder(settings) / f"{model.name}-onnx",
                models_dir=settings.models_dir,
                cache=cache_folder(settings),
                work=Path(work),
                recording=pull_sample(settings.models_dir),
                precisions=precision or (("fp32", "int8") if device == "cpu" else ("bf16",)),
                device=device,
                notes=notes,
                hour_s=hour_s,
                rounds=rounds,
                without=frozenset(without),
                tell=tell,
            )
            measure(bench, only or tuple(FIGURES), lines)
    except (ContestantFailed, ModelSetupFailed, TextMissing) as reason:
        raise click.ClickException(str(reason)) from None
    except SystemExit as ended:
        tell("interrupted; this is what was done by then" if lines else "interrupted; nothing was done by then")
        code = int(ended.code or 0)
    if lines:
        asked = {"model": model.name, "device": device, "notes": notes, "hour_s": hour_s, "rounds": rounds}
        show([line.cells for line in lines], out)
        click.echo(as_json(lines, asked | machine()))
    sys.exit(code)


def measure(bench: Bench, names: Sequence[str], lines: list[GoalLine]) -> None:
    """Add the lines of one figure after the other."""
    for name in dict.fromkeys(names):
        tell(f"{name}: {(FIGURES[name].__doc__ or '').strip().splitlines()[0]}")
        lines.extend(FIGURES[name](bench))


def find_model(settings: EngineSettings) -> Path:
    """Give the folder that all contestants load: the user's SenseVoice if it is here, else one with random weights."""
    pull(VAD_MODEL, settings.models_dir, on_progress=lambda *_: None)
    if is_downloaded(settings) and read_model_class(locate_model(settings)) == SENSEVOICE_CLASS:
        return locate_model(settings)
    folder = cache_folder(settings) / "sensevoice-random"
    tell(f"The model is a SenseVoiceSmall of full size with random weights: {folder}")
    return random_sensevoice(folder)


def cache_folder(settings: EngineSettings) -> Path:
    """Give the folder for all that takes long to make."""
    return settings.models_dir / "bench"


def show(rows: Sequence[Sequence[str]], out: Path | None) -> None:
    """Print a table, and write it in Markdown if a file is named."""
    click.echo(table(rows, HEAD))
    if out is not None:
        out.write_text(markdown(rows, HEAD) + "\n", encoding="utf-8")


def tell(line: str) -> None:
    """Tell how far it is."""
    click.echo(line, err=True)


if __name__ == "__main__":
    main()
