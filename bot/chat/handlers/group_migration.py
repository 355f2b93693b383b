"""A group that becomes a supergroup gets a new id: moves its notes and its access rights there."""

import structlog
from aiogram import Bot, F, Router
from aiogram.types import Message

from bot.chat.access import Access
from jobs.resilience import retry_until_written
from storage.telegram.ledger import TelegramLedger

log = structlog.get_logger(__name__)


def router() -> Router:
    """Return the router of migrations."""
    own = Router(name="moves")
    own.message.register(record_migration, F.migrate_to_chat_id)
    return own


async def record_migration(message: Message, bot: Bot, access: Access, ledger: TelegramLedger) -> None:
    """Record the new id of the group."""
    moved_to = message.migrate_to_chat_id or 0
    access.add_migration(message.chat.id, moved_to)
    await retry_until_written(lambda: ledger.migrate_chat(bot.id, message.chat.id, moved_to))
    log.warning("group_moved", chat=message.chat.id, to=moved_to, remedy="list the new id in access.chats as well")
