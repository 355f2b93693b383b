"""`python -m tests.scale`: what the queue costs with many notes. Ends by itself, with 1 where a goal was missed."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path

import click

from bot.bench.machine import machine
from bot.bench.termination import exit_on_signals
from tests.scale.figures import Figure
from tests.scale.recovery import measure_recovery
from tests.scale.redis_time import measure_redis_time
from tests.scale.throughput import WORKERS, measure_throughput


@click.command()
@click.option("--waiting", type=click.IntRange(min=1), default=100_000, show_default=True, help="Notes that wait.")
@click.option("--running", type=click.IntRange(min=0), default=1000, show_default=True, help="Notes that run.")
@click.option("--most-workers", type=click.IntRange(min=1), default=16, show_default=True, help="Worker processes.")
def main(*, waiting: int, running: int, most_workers: int) -> None:
    """Measure a real Redis and a ledger with so many notes, and workers. The last line of the output is JSON."""
    with exit_on_signals(), tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(measure(Path(folder), waiting=waiting, running=running, most_workers=most_workers))
    click.echo("\n".join(["| | goal | measured | |", "|---|---|---|---|", *(figure.line() for figure in figures)]))
    told = {
        figure.name: {"value": round(figure.value, 4), "unit": figure.unit, "goal": figure.goal} for figure in figures
    }
    click.echo(json.dumps({"machine": machine(), "figures": told}))
    sys.exit(0 if all(figure.is_good for figure in figures) else 1)


async def measure(folder: Path, *, waiting: int, running: int, most_workers: int) -> list[Figure]:
    """Measure everything, one after the other."""
    for name in ("redis", "recovery"):
        (folder / name).mkdir()
    return [
        *await measure_redis_time(folder / "redis", waiting=waiting, running=running),
        *await measure_recovery(folder / "recovery", waiting=waiting),
        *await measure_throughput(folder / "throughput", tuple(count for count in WORKERS if count <= most_workers)),
    ]


if __name__ == "__main__":
    main()
