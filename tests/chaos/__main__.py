"""`python -m tests.chaos`: kills what can be killed under load, and judges whether every note was answered once."""

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path

import click

from tests.chaos.campaign import Campaign, Outcome, as_figures, carry_out
from tests.chaos.plan import Kind, plan

SHOWN = 20
SLOWEST = 3


@click.command()
@click.option("--notes", type=click.IntRange(1), default=100, show_default=True)
@click.option("--kills", type=click.IntRange(0), default=10, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Fixes the order of what happens.")
@click.option("--mix", multiple=True, type=click.Choice([*Kind]), help="Only this may happen; can be repeated.")
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), help="Folder that logs and data stay in.")
def main(*, notes: int, kills: int, seed: int, mix: tuple[str, ...], keep: Path | None) -> None:
    """Send NOTES voice notes, let KILLS kills and other faults happen, and judge the chats."""
    kinds = frozenset(Kind(name) for name in mix) or frozenset(Kind)
    url = os.environ.get("EARSHOT_DATABASE__URL", "")
    campaign = Campaign(notes=notes, faults=plan(notes, kills, seed, kinds), seed=seed, database_url=url)
    with tempfile.TemporaryDirectory(prefix="earshot-chaos-") as folder:
        if keep:
            keep.mkdir(parents=True)
        outcome = asyncio.run(carry_out(campaign, keep or Path(folder), click.echo))
    _show(campaign, outcome)
    sys.exit(0 if outcome.is_good else 1)


def _show(campaign: Campaign, outcome: Outcome) -> None:
    verdict = outcome.verdict
    named = {
        "lost": verdict.lost,
        "twice": verdict.twice,
        "wrong": verdict.wrong,
        "stray": verdict.stray,
        "unsettled": outcome.unsettled,
        "violation": outcome.violations,
        "crash": outcome.crashes,
    }
    for name, cases in named.items():
        for case in cases[:SHOWN]:
            click.echo(f"{name}: {case}")
    for take_over in sorted(outcome.take_overs, key=lambda one: -one.seconds)[:SLOWEST]:
        click.echo(f"slow take-over: {take_over.note_id} after {take_over.seconds:.1f} s")
    figures = as_figures(campaign, outcome)
    click.echo()
    for name, number in figures.items():
        click.echo(f"{name:>18}  {number:g}")
    click.echo(json.dumps(figures))


if __name__ == "__main__":
    main()
