"""Keeps who may use a bot, and the links that let somebody in. Of a link's code it keeps only the hash."""

from datetime import timedelta
from enum import StrEnum
from hashlib import sha256
from secrets import token_urlsafe

from sqlalchemy import Delete, and_, delete, exists, or_, select

from storage.clock import moment
from storage.database import Database, insert_into
from storage.tables import audit
from storage.telegram.message import account_of_user, door_of_bot
from storage.telegram.tables import telegram_links, telegram_people
from storage.uninterruptible import uninterruptible

CODE_BYTES = 32
LINK_DAYS = 1


class Role(StrEnum):
    """What somebody may do with a bot."""

    ADMIN = "admin"


@uninterruptible
class TelegramAccess:
    """The part of the ledger that knows who may use a bot of Telegram, beside those whom the settings list."""

    def __init__(self, database: Database) -> None:
        """Keep it in `database`."""
        self._database = database

    async def role(self, bot_id: int, user_id: int) -> Role | None:
        """Return what somebody may do now."""
        people = telegram_people.c
        valid = or_(people.expires_at.is_(None), people.expires_at > moment())
        own = select(people.role).where(people.bot_id == bot_id, people.user_id == user_id, valid)
        async with self._database.reading() as connection:
            found = (await connection.execute(own)).scalar_one_or_none()
        return Role(found) if found else None

    async def has_admin(self, bot_id: int) -> bool:
        """Tell whether the ledger knows an admin of this bot."""
        people = telegram_people.c
        known = select(exists().where(people.bot_id == bot_id, people.role == Role.ADMIN))
        async with self._database.reading() as connection:
            return bool((await connection.execute(known)).scalar_one())

    async def make_admin_link(self, bot_id: int) -> str | None:
        """Return the code of a link that makes its opener the admin, in place of earlier ones; None if there is one."""
        code = token_urlsafe(CODE_BYTES)
        async with self._database.transaction(), self._database.writing() as connection:
            await connection.execute(_delete_admin_links(bot_id))
            if await self.has_admin(bot_id):
                return None
            link = {"code_hash": _hash(code), "bot_id": bot_id, "role": Role.ADMIN}
            expires_at = moment(ago_s=-timedelta(days=LINK_DAYS).total_seconds())
            await connection.execute(telegram_links.insert().values(**link, expires_at=expires_at))
        return code

    async def withdraw_admin_links(self, bot_id: int) -> None:
        """Let no link make anybody the admin any more."""
        async with self._database.writing() as connection:
            await connection.execute(_delete_admin_links(bot_id))

    async def open_link(self, bot_id: int, code: str, user_id: int) -> Role | None:
        """Use up a link, and give its role to this user; None if there is no such link any more."""
        links = telegram_links.c
        valid = and_(links.code_hash == _hash(code), links.bot_id == bot_id, links.expires_at > moment())
        person = {"bot_id": bot_id, "user_id": user_id}
        async with self._database.writing() as connection:
            used = await connection.execute(delete(telegram_links).where(valid).returning(links.role))
            if (found := used.scalar_one_or_none()) is None:
                return None
            await connection.execute(_delete_admin_links(bot_id))
            given = {"role": found, "expires_at": None}
            await connection.execute(
                insert_into(connection, telegram_people)
                .values(**person, **given)
                .on_conflict_do_update(index_elements=list(person), set_=given)
            )
            account = account_of_user(user_id)
            entry = {"door": door_of_bot(bot_id), "actor": account, "action": f"became {found}", "subject": account}
            await connection.execute(audit.insert().values(**entry, at=moment()))
        return Role(found)


def _delete_admin_links(bot_id: int) -> Delete:
    return delete(telegram_links).where(telegram_links.c.bot_id == bot_id, telegram_links.c.role == Role.ADMIN)


def _hash(code: str) -> str:
    return sha256(code.encode(errors="replace")).hexdigest()
