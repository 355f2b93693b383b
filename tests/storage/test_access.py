"""Who may use a bot, as the ledger keeps it."""

import asyncio

from sqlalchemy import select

from storage.database import Database
from storage.tables import audit
from storage.telegram.access import Role
from storage.telegram.ledger import TelegramLedger
from storage.telegram.tables import telegram_links

BOT = 42


async def test_a_link_makes_whoever_opens_it_first_the_admin_and_nobody_else(ledger: TelegramLedger) -> None:
    code = await ledger.make_admin_link(BOT)
    assert code is not None
    assert len(code) >= 40
    opened = await asyncio.gather(*(ledger.open_link(BOT, code, user_id) for user_id in range(1, 6)))
    assert sorted(role or "" for role in opened) == ["", "", "", "", "admin"]
    roles = [await ledger.role(BOT, user_id) for user_id in range(1, 6)]
    assert roles == opened
    assert await ledger.make_admin_link(BOT) is None


async def test_only_the_newest_link_of_that_bot_counts(ledger: TelegramLedger) -> None:
    old = await ledger.make_admin_link(BOT)
    new = await ledger.make_admin_link(BOT)
    assert old is not None
    assert new is not None
    assert await ledger.open_link(BOT, old, 1) is None
    assert await ledger.open_link(BOT + 1, new, 1) is None
    assert await ledger.open_link(BOT, "\ud800ü", 1) is None
    assert await ledger.open_link(BOT, new, 1) is Role.ADMIN
    assert await ledger.role(BOT + 1, 1) is None


async def test_a_link_that_is_withdrawn_lets_nobody_in(ledger: TelegramLedger) -> None:
    code = await ledger.make_admin_link(BOT)
    assert code is not None
    await ledger.withdraw_admin_links(BOT)
    assert await ledger.open_link(BOT, code, 1) is None


async def test_the_code_is_not_kept_and_its_use_is(database: Database) -> None:
    ledger = TelegramLedger(database)
    code = await ledger.make_admin_link(BOT)
    assert code is not None
    async with database.reading() as connection:
        assert code not in str((await connection.execute(select(telegram_links))).all())
    await ledger.open_link(BOT, code, 7)
    async with database.reading() as connection:
        (entry,) = (await connection.execute(select(audit))).all()
    assert (entry.actor, entry.action, entry.subject) == ("telegram:7", "became admin", "telegram:7")
