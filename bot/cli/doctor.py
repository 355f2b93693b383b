"""`earshot doctor`: whether everything is in place, and what to do where it is not."""

import asyncio
from dataclasses import asdict

import click

from bot.cli.doctor_checks import Finding, examine
from bot.cli.startup import print_json, start_command
from bot.config.loading import InvalidSettings
from bot.config.settings import Settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(*, as_json: bool) -> int:
    """Check whether everything is in place, and say what to do where it is not."""
    try:
        findings = asyncio.run(look(start_command("doctor"), aloud=not as_json))
    except InvalidSettings as wrong:
        if not as_json:
            raise
        findings = [Finding("settings", ok=False, says=wrong.message)]
    if as_json:
        print_json([asdict(finding) for finding in findings])
    return 0 if all(finding.ok for finding in findings) else 1


async def look(settings: Settings, *, aloud: bool) -> list[Finding]:
    """Look at everything, and say each finding when it is there."""
    findings = []
    async for finding in examine(settings):
        findings.append(finding)
        if aloud:
            click.echo(f"{'ok    ' if finding.ok else 'WRONG '} {finding.name:9} {finding.says}")
    return findings
