"""Keeps what came in at a door and can never become a note, so that it may be acknowledged without being lost."""

import json
from collections.abc import Mapping

from sqlalchemy import func, select

from storage.clock import moment
from storage.database import Database, insert_into
from storage.storable import storable_text
from storage.tables import dead_letters


class DeadLetters:
    """The part of the ledger that keeps what could not be recorded."""

    def __init__(self, database: Database) -> None:
        """Keep it in `database`."""
        self._database = database

    async def keep_dead_letter(self, door: str, key: str, body: Mapping[str, object], reason: str) -> None:
        """Keep `body`, which came in at `door`, and why it was not recorded; once for each `key` of that door."""
        row = {
            "door": door,
            "key": key,
            "received_at": moment(),
            "reason": storable_text(reason),
            "body": json.dumps(body),
        }
        async with self._database.writing() as connection:
            await connection.execute(insert_into(connection, dead_letters).values(row).on_conflict_do_nothing())

    async def count_dead_letters(self) -> int:
        """Return how many are kept."""
        async with self._database.reading() as connection:
            return (await connection.execute(select(func.count()).select_from(dead_letters))).scalar_one()
