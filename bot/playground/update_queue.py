"""Queue of updates for one bot: numbered, filtered by kind, confirmed by offset, kept for a day. Knows no HTTP."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bot.playground.notifier import Notifier

RETENTION_S = 24 * 3600
OPT_IN_KINDS = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
FIRST_ID = 700_000_001


@dataclass(slots=True)
class Pending:
    """An update that the bot has not confirmed yet. `created_at` is in seconds of the queue's clock."""

    update_id: int
    body: dict[str, object]
    created_at: float
    was_redelivered: bool = False


@dataclass(slots=True)
class UpdateQueue:
    """The updates of one bot."""

    clock: Callable[[], float]
    changed: Notifier = field(default_factory=Notifier)
    allowed: list[str] = field(default_factory=list)
    pending: list[Pending] = field(default_factory=list)
    confirmed: list[Pending] = field(default_factory=list)
    next_id: int = FIRST_ID

    def add(self, kind: str, body: Mapping[str, object]) -> int | None:
        """Queue an update and give its id; None when the bot did not ask for this kind (`allowed_updates`)."""
        wanted = kind in self.allowed if self.allowed else kind not in OPT_IN_KINDS
        if not wanted:
            return None
        return self.add_unchecked({kind: dict(body)})

    def add_unchecked(self, body: Mapping[str, object]) -> int:
        """Queue a body without any check, even one that no bot can decode; give its id."""
        update_id = self.next_id
        self.next_id += 1
        self.pending.append(Pending(update_id, {"update_id": update_id, **body}, self.clock()))
        self.changed.notify_all()
        return update_id

    def take(self, offset: int, limit: int) -> list[dict[str, object]]:
        """Confirm the updates below `offset` and give up to `limit` of the others, as getUpdates does."""
        self._drop_expired()
        if offset < 0:
            offset = self.pending[offset].update_id if -offset <= len(self.pending) else 0
        self._confirm(offset)
        batch = self.pending[: limit or 100]
        for pending in batch:
            pending.was_redelivered = False
        return [pending.body for pending in batch]

    def _confirm(self, offset: int) -> None:
        left = [pending for pending in self.pending if pending.update_id >= offset or pending.was_redelivered]
        gone = [pending for pending in self.pending if pending.update_id < offset and not pending.was_redelivered]
        self.pending = left
        self.confirmed += gone

    def confirm_one(self, update_id: int) -> None:
        """Confirm a single update, as a webhook that accepted it does."""
        self.confirmed += [pending for pending in self.pending if pending.update_id == update_id]
        self.pending = [pending for pending in self.pending if pending.update_id != update_id]

    def _drop_expired(self) -> None:
        self.pending = [pending for pending in self.pending if pending.created_at > self.clock() - RETENTION_S]

    def redeliver(self, count: int = 1) -> None:
        """Deliver the last `count` confirmed updates again, as happens when a bot dies before it confirms them."""
        back = self.confirmed[-count:]
        del self.confirmed[-count:]
        for pending in back:
            pending.was_redelivered = True
        self.pending = sorted([*back, *self.pending], key=lambda pending: pending.update_id)
        self.changed.notify_all()

    def clear(self) -> None:
        """Discard all pending updates."""
        self.pending.clear()
