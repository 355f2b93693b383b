"""The updates that wait for a bot: numbered, filtered, confirmed by offset, kept for a day. Knows no HTTP."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bot.playground.notifier import Bell

KEPT_S = 24 * 3600
NOT_BY_DEFAULT = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
FIRST_ID = 700_000_001


@dataclass(slots=True)
class Pending:
    """An update on its way."""

    update_id: int
    body: dict[str, object]
    born: float
    again: bool = False


@dataclass(slots=True)
class Updates:
    """The queue of one bot."""

    clock: Callable[[], float]
    bell: Bell = field(default_factory=Bell)
    allowed: list[str] = field(default_factory=list)
    pending: list[Pending] = field(default_factory=list)
    confirmed: list[Pending] = field(default_factory=list)
    next_id: int = FIRST_ID

    def add(self, kind: str, body: Mapping[str, object]) -> int | None:
        """Queue an update, unless the bot has said that it wants none of its kind."""
        wanted = kind in self.allowed if self.allowed else kind not in NOT_BY_DEFAULT
        if not wanted:
            return None
        return self.add_raw({kind: dict(body)})

    def add_raw(self, body: Mapping[str, object]) -> int:
        """Queue whatever it is, also what no bot can read."""
        update_id = self.next_id
        self.next_id += 1
        self.pending.append(Pending(update_id, {"update_id": update_id, **body}, self.clock()))
        self.bell.ring()
        return update_id

    def take(self, offset: int, limit: int) -> list[dict[str, object]]:
        """Confirm what is below `offset`, and give what is left."""
        self._forget_old()
        if offset < 0:
            offset = self.pending[offset].update_id if -offset <= len(self.pending) else 0
        self._confirm(offset)
        batch = self.pending[: limit or 100]
        for pending in batch:
            pending.again = False
        return [pending.body for pending in batch]

    def _confirm(self, offset: int) -> None:
        left = [pending for pending in self.pending if pending.update_id >= offset or pending.again]
        gone = [pending for pending in self.pending if pending.update_id < offset and not pending.again]
        self.pending = left
        self.confirmed += gone

    def confirm_one(self, update_id: int) -> None:
        """Take one update away, as a webhook that accepted it does."""
        self.confirmed += [pending for pending in self.pending if pending.update_id == update_id]
        self.pending = [pending for pending in self.pending if pending.update_id != update_id]

    def _forget_old(self) -> None:
        self.pending = [pending for pending in self.pending if pending.born > self.clock() - KEPT_S]

    def redeliver(self, count: int = 1) -> None:
        """Send the last confirmed updates once more, as happens when a bot dies before it confirms."""
        back = self.confirmed[-count:]
        del self.confirmed[-count:]
        for pending in back:
            pending.again = True
        self.pending = sorted([*back, *self.pending], key=lambda pending: pending.update_id)
        self.bell.ring()

    def drop(self) -> None:
        """Throw away all that waits."""
        self.pending.clear()
