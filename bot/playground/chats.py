"""Chats: messages and their earlier versions, forum topics, members. Knows no HTTP."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiogram.types import Chat, Message, User

GENERAL_TOPIC = 1


@dataclass(slots=True)
class Topic:
    """A forum topic; its number is the id of the message that created it."""

    thread_id: int
    name: str
    created: Message
    closed: bool = False


@dataclass(slots=True)
class Conversation:
    """A chat with its messages, topics and members."""

    chat: Chat
    bot: User
    members: dict[int, User] = field(default_factory=dict)
    administrators: set[int] = field(default_factory=set)
    messages: dict[int, Message] = field(default_factory=dict)
    versions: dict[int, list[Message]] = field(default_factory=dict)
    sent_at: dict[int, float] = field(default_factory=dict)
    deleted_by_users: set[int] = field(default_factory=set)
    topics: dict[int, Topic] = field(default_factory=dict)
    deleted_topics: set[int] = field(default_factory=set)
    general_closed: bool = False
    hides_members: bool = False
    blocked_reason: str | None = None
    upgraded_to: int | None = None
    last_id: int = 0

    @property
    def is_private(self) -> bool:
        """Tell whether it is a private chat with the bot."""
        return self.chat.type == "private"

    def post(
        self, sender: User, at: float, content: Mapping[str, object], *, thread_id: int | None, reply_to: Message | None
    ) -> Message:
        """Add a message with the next id."""
        self.last_id += 1
        envelope = {
            "message_id": self.last_id,
            "date": datetime.fromtimestamp(int(at), UTC),
            "chat": self.chat,
            "from": sender,
        }
        message = Message.model_validate(envelope | self._placement(thread_id, reply_to) | dict(content))
        self.sent_at[self.last_id] = at
        self._store(message)
        return message

    def _placement(self, thread_id: int | None, reply_to: Message | None) -> dict[str, object]:
        """Say where a message stands.

        Two of Telegram's ways surprise bots: a message in a topic is a reply to the service message that opened the
        topic, when it replies to nothing else; and a reply in a group without topics has a thread, but is no topic's.
        """
        placement: dict[str, object] = {}
        if thread_id is not None:
            placement |= {"message_thread_id": thread_id, "is_topic_message": True}
            reply_to = reply_to or self.topics[thread_id].created
        elif reply_to is not None and self.chat.type == "supergroup":
            placement["message_thread_id"] = reply_to.message_thread_id or reply_to.message_id
        if reply_to is not None:
            placement["reply_to_message"] = reply_to.model_copy(update={"reply_to_message": None})
        return placement

    def _store(self, message: Message) -> None:
        self.messages[message.message_id] = message
        self.versions.setdefault(message.message_id, []).append(message)

    def change(self, message: Message, at: float, content: Mapping[str, object]) -> Message:
        """Replace `message` with an edited version."""
        changed = message.model_copy(update={"edit_date": int(at), **content})
        self._store(changed)
        return changed

    def replace_silently(self, message: Message, content: Mapping[str, object]) -> Message:
        """Replace `message` without an edit date."""
        changed = message.model_copy(update=dict(content))
        self._store(changed)
        return changed

    def remove(self, message_id: int) -> None:
        """Delete a message."""
        self.messages.pop(message_id, None)

    def messages_in_topic(self, thread_id: int | None) -> list[Message]:
        """Give the messages of a topic; None is the general topic."""
        return [message for message in self.messages.values() if topic_of(message) == thread_id]


def topic_of(message: Message) -> int | None:
    """Give the forum topic of a message; None in the general topic and in threads of replies."""
    return message.message_thread_id if message.is_topic_message else None
