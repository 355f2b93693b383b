"""Access control by the owner's lists of users and chats, and by the ledger. Knows ids, and nothing of messages."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.config.settings import AccessSettings
from storage.telegram.access import Role

_STRANGERS_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Access:
    """The owner's lists, the groups that migrated to supergroups, and the roles that were read from the ledger last."""

    settings: AccessSettings
    _origins: dict[int, int] = field(default_factory=dict)
    _roles: dict[int, Role] = field(default_factory=dict)

    def allows(self, user_id: int, chat_id: int) -> bool:
        """Tell whether this user may use the bot in this chat."""
        return self.settings_allow(user_id, chat_id) or self.is_admin(user_id)

    def settings_allow(self, user_id: int, chat_id: int) -> bool:
        """Tell whether the settings alone allow this user to use the bot in this chat."""
        return self.allows_chat(chat_id) or user_id in self.settings.admins or user_id in self.settings.users

    def allows_chat(self, chat_id: int) -> bool:
        """Tell whether everybody may use the bot in this chat."""
        return self.settings.open or self._origins.get(chat_id, chat_id) in self.settings.chats

    def add_migration(self, chat_id: int, moved_to: int) -> None:
        """Give the supergroup `moved_to` the rights of the group `chat_id`."""
        self._origins[moved_to] = self._origins.get(chat_id, chat_id)

    def is_admin(self, user_id: int | None) -> bool:
        """Tell whether this user is an admin of the bot."""
        return user_id in self.settings.admins or (user_id is not None and self._roles.get(user_id) is Role.ADMIN)

    def remember(self, user_id: int, role: Role | None) -> None:
        """Let a user have the role that the ledger names, and no other."""
        if role is None:
            self._roles.pop(user_id, None)
        else:
            self._roles[user_id] = role


@dataclass(slots=True)
class RefusalThrottle:
    """Limits how often a chat without access is told so: once in `pause_s`."""

    pause_s: float = 6 * 3600
    clock: Callable[[], float] = time.monotonic
    _told: dict[int, float] = field(default_factory=dict)

    def is_due(self, chat_id: int) -> bool:
        """Tell whether this chat may be told now; if so, the time is recorded."""
        now = self.clock()
        if now - self._told.get(chat_id, float("-inf")) < self.pause_s:
            return False
        if len(self._told) >= _STRANGERS_KEPT:
            self._told.clear()
        self._told[chat_id] = now
        return True
