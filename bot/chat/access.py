"""Who may use the bot: nobody but those whom the owner lists. Knows ids, and nothing of messages."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.config.settings import AccessSettings

_STRANGERS_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Access:
    """The owner's lists, and which groups turned into others."""

    settings: AccessSettings
    _origins: dict[int, int] = field(default_factory=dict)

    def allows(self, user_id: int, chat_id: int) -> bool:
        """Tell whether this person may use the bot in this chat."""
        if self.settings.open or self._origins.get(chat_id, chat_id) in self.settings.chats:
            return True
        return self.is_admin(user_id) or user_id in self.settings.users

    def add_migration(self, chat_id: int, moved_to: int) -> None:
        """Let the group that `chat_id` turned into have its rights."""
        self._origins[moved_to] = self._origins.get(chat_id, chat_id)

    def is_admin(self, user_id: int | None) -> bool:
        """Tell whether this person runs the bot."""
        return user_id in self.settings.admins


@dataclass(slots=True)
class RefusalThrottle:
    """Tells a stranger once in a while, and not at every message, that this bot is not theirs."""

    pause_s: float = 6 * 3600
    clock: Callable[[], float] = time.monotonic
    _told: dict[int, float] = field(default_factory=dict)

    def is_due(self, chat_id: int) -> bool:
        """Tell whether it is time to say it in this chat; if so, the time is noted."""
        now = self.clock()
        if now - self._told.get(chat_id, float("-inf")) < self.pause_s:
            return False
        if len(self._told) >= _STRANGERS_KEPT:
            self._told.clear()
        self._told[chat_id] = now
        return True
