"""Who wrote a message: a user, a channel, or the group itself.

Telegram names a stand-in as the user where somebody writes as a channel (136817688), as the group (1087968824, an
anonymous admin) or where a channel's post is forwarded into its discussion group (777000): the same one for everybody.
The chat in whose name the message was written tells them apart
(https://core.telegram.org/bots/api#message, `sender_chat`).
"""

from dataclasses import dataclass

from aiogram.types import Message, Update, User


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent something: the id of a user, or of a chat (which is negative), and the language of the app."""

    id: int
    language_code: str | None = None


def sender_of(message: Message) -> Sender | None:
    """Return who wrote the message; None for other bots, and where Telegram names nobody."""
    user, chat = message.from_user, message.sender_chat
    if chat is not None:
        return Sender(chat.id, user.language_code if user else None)
    return None if user is None or user.is_bot else Sender(user.id, user.language_code)


def sender_of_update(update: Update, user: User | None) -> Sender | None:
    """Return who caused the update; `user` is whom Telegram names for updates that are no message."""
    if update.message:
        return sender_of(update.message)
    return None if user is None or user.is_bot else Sender(user.id, user.language_code)
