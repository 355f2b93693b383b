"""Keeps what accounts chose for all that they send from then on."""

from sqlalchemy import delete, select

from engine import Param
from storage.database import Database
from storage.tables import settings


class AccountSettings:
    """The part of the ledger that knows the settings of accounts, each by its name in `engine.Request`."""

    def __init__(self, database: Database) -> None:
        """Keep settings in `database`."""
        self._database = database

    async def account_settings(self, account: str) -> dict[str, Param]:
        """Return what the account chose, by name."""
        async with self._database.reading() as connection:
            rows = await connection.execute(
                select(settings.c.name, settings.c.value).where(settings.c.account == account)
            )
            return {row.name: row.value for row in rows}

    async def choose(self, account: str, name: str, value: Param | None) -> None:
        """Keep a setting of the account; None forgets it."""
        this = settings.c.account == account, settings.c.name == name
        async with self._database.writing() as connection:
            await connection.execute(delete(settings).where(*this))
            if value is not None:
                await connection.execute(settings.insert().values(account=account, name=name, value=value))
