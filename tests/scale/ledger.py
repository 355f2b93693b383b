"""`python -m tests.scale.ledger`: what each of the ledger's queries costs with 1,000,000 notes that are done.

Prints the median time of each call on SQLite and on PostgreSQL, and of its queries alone where it only reads.
"""

import asyncio
import json
import sqlite3
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import click
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.telegram.ledger import TelegramLedger
from tests.scale.filled_ledger import fill
from tests.scale.ledger_calls import Calls, engine_of, plans
from tests.storage.conftest import opened
from tests.storage.postgres import postgres

GOAL_MS = 2.0
EMPTY_READ, EMPTY_WRITE = "SELECT 1", "UPDATE door_totals SET accounts = accounts"


@dataclass(frozen=True)
class Cost:
    """Milliseconds: of the queries alone, as the database measures them, of reads only; and of the whole call."""

    query_ms: float | None
    call_ms: float


@click.command()
@click.option("--notes", type=click.IntRange(min=1), default=1_000_000, show_default=True, help="Notes that are done.")
@click.option("--rounds", type=click.IntRange(min=1), default=30, show_default=True, help="How often to call each.")
@click.option("--show-plans", is_flag=True, help="Print the plan of every query.")
def main(*, notes: int, rounds: int, show_plans: bool) -> None:
    """Measure a ledger with so many notes; ends with 1 where the goal of a query was missed."""
    with tempfile.TemporaryDirectory() as folder, postgres() as server:
        urls = {"SQLite": "", "PostgreSQL": server.url}
        costs = [asyncio.run(measure(url, Path(folder), notes, rounds, show_plans=show_plans)) for url in urls.values()]
    heads = [f"{name}, {what}" for name in urls for what in ("query", "call")]
    click.echo(f"| ms with {notes:,} notes done | {' | '.join(heads)} |\n|---|---|---|---|---|")
    for name in costs[0]:
        click.echo(f"| {name} | {' | '.join(_columns(each[name]) for each in costs)} |")
    sys.exit(0 if all((cost.query_ms or 0) <= GOAL_MS for each in costs for cost in each.values()) else 1)


async def measure(url: str, folder: Path, notes: int, rounds: int, *, show_plans: bool) -> dict[str, Cost]:
    """Return the median cost of each call."""
    database = await opened(url, folder)
    began = perf_counter()
    await fill(database, notes)
    click.echo(f"filled {url or 'SQLite'} in {perf_counter() - began:.0f} s", err=True)
    calls = Calls(TelegramLedger(database))
    with calls.recording(await engine_of(database)):
        await calls.all()
    calls.took_s.clear()
    for _ in range(rounds):
        await calls.all()
        for statement in (EMPTY_READ, EMPTY_WRITE):
            await calls.time(f"nothing but `{statement}`", lambda: _run(database, statement))  # noqa: B023 - awaited here
    if show_plans:
        for name, explained in (await plans(database, calls)).items():
            click.echo(f"{name}\n  " + "\n".join(explained).replace("\n", "\n  "))
    alone = await _queries_alone(database, calls, rounds)
    await database.close()
    return {name: Cost(alone.get(name), 1000 * median(took_s)) for name, took_s in calls.took_s.items()}


async def _run(database: Database, statement: str) -> None:
    async with database.reading() if statement is EMPTY_READ else database.writing() as connection:
        await connection.execute(text(statement))


async def _queries_alone(database: Database, calls: Calls, rounds: int) -> dict[str, float]:
    """Return what the queries of each call that only reads take without driver, network and transaction."""
    reading = {
        name: statements
        for name, sent in calls.statements.items()
        if not any(statement.startswith(("INSERT", "UPDATE", "DELETE")) for statement in sent)
        and (statements := {each: values for each, values in sent.items() if each.startswith("SELECT")})
    }
    if not database.where.startswith("postgresql"):
        return await asyncio.to_thread(_alone_in_sqlite, database.where, reading, rounds)
    async with database.reading() as connection:
        return {
            name: median([await _alone_in_postgresql(connection, statements) for _ in range(rounds)])
            for name, statements in reading.items()
        }


def _alone_in_sqlite(path: str, reading: dict[str, dict[str, Any]], rounds: int) -> dict[str, float]:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA cache_size = -2000").fetchall()
        return {name: median(_took_ms(connection, sent) for _ in range(rounds)) for name, sent in reading.items()}


def _took_ms(connection: sqlite3.Connection, statements: dict[str, Any]) -> float:
    began = perf_counter()
    for statement, values in statements.items():
        connection.execute(statement, values).fetchall()
    return 1000 * (perf_counter() - began)


async def _alone_in_postgresql(connection: AsyncConnection, statements: dict[str, Any]) -> float:
    took_ms = 0.0
    for statement, values in statements.items():
        explained = f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}"
        plan = (await connection.exec_driver_sql(explained, values)).scalar_one()
        (plan,) = json.loads(plan) if isinstance(plan, str) else plan
        took_ms += plan["Planning Time"] + plan["Execution Time"]
    return took_ms


def _columns(cost: Cost) -> str:
    return f"{'' if cost.query_ms is None else f'{cost.query_ms:.2f}'} | {cost.call_ms:.1f}"


if __name__ == "__main__":
    main()
