"""`earshot queue`: shows how many notes wait and run, and how many workers are busy."""

import asyncio

import click

from bot.cli.startup import print_json, start_command
from bot.config.settings import Settings
from bot.process.connections import open_ledger, open_queue
from jobs.errors import QueueUnreachable
from jobs.queue_report import QueueReport, queue_report, report_for_workers


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(*, as_json: bool) -> None:
    """Show what waits and what runs."""
    report = asyncio.run(read_queue(start_command("queue")))
    if as_json:
        print_json(report)
        return
    click.echo(f"{report['queued']} queued, {report['processing']} processing, {report['failed']} failed")
    if report["dead_letters"]:
        click.echo(f"{report['dead_letters']} updates could not be taken in (table dead_letters)")
    click.echo(f"{report['workers']} workers, {report['workers_busy']} busy")
    click.echo(f"the oldest waits for {report['oldest_wait_s']:.0f} s")
    if report["rtf"] is not None:
        click.echo(f"a second of audio takes {report['rtf']:.3f} s")


async def read_queue(settings: Settings) -> QueueReport:
    """Read the counts from the ledger and the workers from Redis; without the embedded Redis there are none."""
    async with open_ledger(settings) as ledger, open_queue(settings) as queue:
        try:
            return await queue_report(ledger, queue)
        except QueueUnreachable:
            if settings.redis.url:
                raise
        return await report_for_workers([], ledger)
