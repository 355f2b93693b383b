"""`python -m tests.scale.ledger`: what each of the ledger's queries costs with 1,000,000 notes that are done.

Prints the median time of each call, on SQLite and on PostgreSQL, and the plans of those that missed the goal.
"""

import asyncio
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

import click

from storage.ledger import Ledger
from tests.scale.filled_ledger import fill
from tests.scale.ledger_calls import Calls, engine_of, plans
from tests.storage.conftest import opened
from tests.storage.postgres import postgres

GOAL_MS = 2.0


@click.command()
@click.option("--notes", type=click.IntRange(min=1), default=1_000_000, show_default=True, help="Notes that are done.")
@click.option("--rounds", type=click.IntRange(min=1), default=50, show_default=True, help="How often to call each.")
@click.option("--all-plans", is_flag=True, help="Print the plan of every query.")
def main(*, notes: int, rounds: int, all_plans: bool) -> None:
    """Measure a ledger with so many notes; ends with 1 where a goal was missed."""
    with tempfile.TemporaryDirectory() as folder, postgres() as server:
        urls = {"SQLite": "", "PostgreSQL": server.url}
        measured = {
            name: asyncio.run(measure(url, Path(folder), notes, rounds, all_plans=all_plans))
            for name, url in urls.items()
        }
    click.echo(f"\n| call, median in ms, {notes:,} notes done | {' | '.join(measured)} |\n|---|---|---|")
    for name in measured["SQLite"]:
        click.echo(f"| {name} | {' | '.join(f'{took[name]:.2f}' for took in measured.values())} |")
    sys.exit(0 if all(took <= GOAL_MS for of in measured.values() for took in of.values()) else 1)


async def measure(url: str, folder: Path, notes: int, rounds: int, *, all_plans: bool) -> dict[str, float]:
    """Return the median time of each call, in milliseconds."""
    database = await opened(url, folder)
    ledger = Ledger(database)
    began = perf_counter()
    await fill(database, notes)
    click.echo(f"filled {url or 'SQLite'} in {perf_counter() - began:.0f} s", err=True)
    seen = Calls(ledger)
    with seen.recording(await engine_of(database)):
        await seen.all()
    calls = Calls(ledger)
    for _ in range(rounds):
        await calls.all()
    took_ms = {name: 1000 * median(took_s) for name, took_s in calls.took_s.items()}
    for name, explained in (await plans(database, seen)).items():
        if all_plans or took_ms.get(name, 0) > GOAL_MS:
            click.echo(f"{name}: {took_ms.get(name, 0):.2f} ms\n  " + "\n".join(explained).replace("\n", "\n  "))
    await database.close()
    return took_ms


if __name__ == "__main__":
    main()
