"""Updates that cannot be decoded, such as those of a Bot API that is newer or broken."""

from typing import Any

from aiogram.types import Update

UNREADABLE = "unreadable"


def unreadable_update(raw: dict[str, Any]) -> Update:
    """Return an update that carries only what Telegram sent, as it cannot be decoded."""
    return Update.model_validate({"update_id": raw["update_id"], UNREADABLE: raw})


def unreadable_content(update: Update) -> dict[str, Any] | None:
    """Return what Telegram sent, if it could not be decoded."""
    return (update.model_extra or {}).get(UNREADABLE)
