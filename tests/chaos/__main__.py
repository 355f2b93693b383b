"""`python -m tests.chaos`: kills processes under load, and judges whether every note was answered once."""

import asyncio
import json
import sys
import tempfile
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import click

from tests.chaos.campaign import Campaign, DatabaseInUse, Outcome, as_figures, carry_out
from tests.chaos.plan import Kind, plan

SHOWN = 20
SLOWEST = 3


@click.command()
@click.option("--notes", type=click.IntRange(1), default=100, show_default=True)
@click.option("--kills", type=click.IntRange(0), default=10, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Fixes the order of what happens.")
@click.option(
    "--mix",
    multiple=True,
    type=click.Choice([kind.value for kind in Kind]),
    help="Only this may happen; can be repeated.",
)
@click.option("--failing", type=click.FloatRange(0, 1), default=0.03, show_default=True, help="Share of all requests.")
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), help="Folder that logs and data stay in.")
@click.option("--database", default="", help="URL of an empty PostgreSQL to use in place of SQLite.")
def main(  # noqa: PLR0913 - as many as there are options
    *, notes: int, kills: int, seed: int, mix: tuple[str, ...], failing: float, keep: Path | None, database: str
) -> None:
    """Send NOTES voice notes, let KILLS kills and other faults happen, and judge the chats."""
    kinds = frozenset(Kind(name) for name in mix) or frozenset(Kind)
    try:
        faults = plan(notes, kills, seed, kinds)
    except ValueError as wrong:
        raise click.UsageError(str(wrong)) from None
    campaign = Campaign(notes=notes, faults=faults, seed=seed, failing_share=failing, database_url=database)
    with _folder(keep) as folder:
        try:
            outcome = asyncio.run(carry_out(campaign, Path(folder), click.echo))
        except DatabaseInUse:
            raise click.UsageError("this database holds voice notes; give an empty one") from None
    _show(campaign, outcome)
    sys.exit(0 if outcome.is_good else 1)


def _folder(keep: Path | None) -> AbstractContextManager[str | Path]:
    """Give the folder to keep, which must not be there yet, or one that goes afterwards."""
    if keep is None:
        return tempfile.TemporaryDirectory(prefix="earshot-chaos-")
    keep.mkdir(parents=True)
    return nullcontext(keep)


def _show(campaign: Campaign, outcome: Outcome) -> None:
    verdict = outcome.verdict
    named = {
        "lost": verdict.lost,
        "twice": verdict.twice,
        "wrong": verdict.wrong,
        "stray": verdict.stray,
        "leftover": verdict.leftovers,
        "unsettled": outcome.unsettled,
        "violation": outcome.violations,
        "crash": outcome.crashes,
    }
    for name, cases in named.items():
        for case in cases[:SHOWN]:
            click.echo(f"{name}: {case}")
    for take_over in sorted(outcome.take_overs, key=lambda one: -one.seconds)[:SLOWEST]:
        click.echo(f"slowest take-over: {take_over.note_id} after {take_over.seconds:.1f} s")
    figures = as_figures(campaign, outcome)
    click.echo()
    for name, number in figures.items():
        click.echo(f"{name:>18}  {number:g}")
    click.echo("Every note was answered once, with its own text." if outcome.is_good else "The promise was broken.")
    click.echo(json.dumps(figures))


if __name__ == "__main__":
    main()
