"""Telegram's messages with voice notes, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import ClassVar, Self

from engine import Param
from storage.door_row import DoorRow
from storage.note import Incoming, Note
from storage.storable import storable_number, storable_text
from storage.telegram.tables import LOCALE_LENGTH, telegram_messages

DOOR = "telegram"


def door_of_bot(bot_id: int) -> str:
    """Return the name of the door of a bot: its notes are fetched and answered with its token only."""
    return f"{DOOR}:{bot_id}"


def bot_of_door(door: str) -> int | None:
    """Return the bot whose door has that name; None if it is another kind of door."""
    kind, _, bot_id = door.partition(":")
    return int(bot_id) if kind == DOOR else None


def account_of_user(user_id: int) -> str:
    """Return the name of the account of a user of Telegram."""
    return f"{DOOR}:{user_id}"


@dataclass(frozen=True, kw_only=True)
class TelegramMessage:
    """A message with a voice note.

    The fields of `KEY` are unique together. `business_connection_id` and `guest_query_id` are empty in the bot's own
    chats; where they are not, the ids of chat and message mean something else than there.
    """

    KEY: ClassVar[tuple[str, ...]] = ("bot_id", "chat_id", "message_id", "business_connection_id", "guest_query_id")

    bot_id: int
    chat_id: int
    message_id: int
    business_connection_id: str = ""
    guest_query_id: str = ""
    thread_id: int | None
    user_id: int
    kind: str
    file_id: str
    file_name: str | None
    locale: str

    @property
    def key(self) -> tuple[int | str, ...]:
        """The values that no other message has together."""
        return tuple(getattr(self, name) for name in self.KEY)


NOTE_FIELDS = tuple(each.name for each in fields(Note))
MESSAGE_FIELDS = tuple(each.name for each in fields(TelegramMessage))


@dataclass(frozen=True, kw_only=True)
class IncomingMessage(TelegramMessage):
    """A message as the bot receives it, and what is asked of its recording.

    The `claimed_` values come from the sender and may be wrong.
    """

    file_unique_id: str
    claimed_s: float | None
    claimed_bytes: int | None
    request: Mapping[str, Param] = field(default_factory=dict)

    def to_note(self) -> Incoming:
        """Describe the voice note as any door does."""
        return Incoming(
            door=door_of_bot(self.bot_id),
            account=account_of_user(self.user_id),
            sound_key=f"{DOOR}:{self.file_unique_id}",
            claimed_s=self.claimed_s,
            claimed_bytes=self.claimed_bytes,
            request=self.request,
        )

    def as_note(self, note: Note) -> "TelegramNote":
        """Join it and the note that was just made of it."""
        of_message = {name: getattr(self, name) for name in MESSAGE_FIELDS}
        return TelegramNote(**{name: getattr(note, name) for name in NOTE_FIELDS}, **of_message)

    def to_row(self) -> DoorRow:
        """Return what only this door keeps of it."""
        values = {name: getattr(self, name) for name in MESSAGE_FIELDS}
        return DoorRow(table=telegram_messages, key={name: values[name] for name in self.KEY}, values=values)


@dataclass(frozen=True, kw_only=True)
class TelegramNote(TelegramMessage, Note):
    """A voice note of Telegram: what became of it, and its message.

    `status_message_id` is the reply that shows its state, in its current run. `moved_to` is the group that the chat
    became.
    """

    status_message_id: int | None = None
    moved_to: int | None = None

    @property
    def answer_chat_id(self) -> int:
        """The chat that the answer belongs in."""
        return self.moved_to or self.chat_id

    def updated(self, note: Note) -> Self:
        """Return it with what has become of its note."""
        return replace(self, **{name: getattr(note, name) for name in NOTE_FIELDS})


def storable(message: IncomingMessage) -> IncomingMessage:
    """Clean texts, shorten the locale, and leave out numbers that the note does not depend on and that are too large.

    The ids of chat, message and user stay as they are.
    """
    return replace(
        message,
        kind=storable_text(message.kind),
        business_connection_id=storable_text(message.business_connection_id),
        guest_query_id=storable_text(message.guest_query_id),
        file_id=storable_text(message.file_id),
        file_unique_id=storable_text(message.file_unique_id),
        file_name=None if message.file_name is None else storable_text(message.file_name),
        locale=storable_text(message.locale)[:LOCALE_LENGTH],
        claimed_s=storable_number(message.claimed_s),
        claimed_bytes=storable_number(message.claimed_bytes),
        thread_id=storable_number(message.thread_id),
    )
