"""All that the stand-in knows: the bot, its chats, files, updates and commands. Knows no HTTP."""

import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiogram.types import BotCommand, CallbackQuery, InlineKeyboardMarkup, Message, TelegramObject, User

from bot.playground.api_errors import Refusal, bad_request, forbidden
from bot.playground.chats import Conversation
from bot.playground.notifier import Bell
from bot.playground.stored_files import StoredFiles
from bot.playground.update_queue import Updates

CALLBACK_LIFETIME_S = 30.0


@dataclass(slots=True)
class Pressed:
    """A pressed button, and what the bot said to it."""

    query: CallbackQuery
    at: float
    answers: list[str | None] = field(default_factory=list)
    alert: bool = False


@dataclass(slots=True)
class Action:
    """What the bot says that it is doing just now, such as typing."""

    chat_id: int
    thread_id: int | None
    action: str
    at: float


@dataclass(slots=True)
class Draft:
    """A partial text that the bot shows for half a minute."""

    chat_id: int
    thread_id: int | None
    text: str
    at: float


@dataclass(slots=True)
class Webhook:
    """Where updates are sent to, when they are not asked for."""

    url: str = ""
    secret_token: str | None = None
    max_connections: int = 40
    last_error_at: int | None = None
    last_error: str | None = None


class World:
    """The state behind every method, and the clock that tests may turn forward."""

    def __init__(self, bot: User) -> None:
        """Start with a bot that nobody has talked to."""
        self.bot = bot
        self.skew = 0.0
        self.changed = Bell()
        self.conversations: dict[int, Conversation] = {}
        self.users: dict[int, User] = {bot.id: bot}
        self.files = StoredFiles(self.now)
        self.updates = Updates(self.now)
        self.webhook = Webhook()
        self.pressed: dict[str, Pressed] = {}
        self.commands: dict[tuple[str, str], list[BotCommand]] = {}
        self.actions: list[Action] = []
        self.drafts: dict[tuple[int, int], Draft] = {}
        self.reactions: dict[tuple[int, int], list[str]] = {}
        self.unanswered_edits: set[tuple[str, str]] = set()
        self.query_numbers = itertools.count(4_000_000_000_001)

    def now(self) -> float:
        """Tell the time, in seconds since the epoch."""
        return time.time() + self.skew

    def conversation(self, chat_id: int | str) -> Conversation:
        """Find the chat that the bot names, or refuse as Telegram does."""
        found = self._by_name(chat_id) if isinstance(chat_id, str) else self.conversations.get(chat_id)
        if found is None:
            raise bad_request("chat not found")
        if found.upgraded_to is not None:
            raise Refusal(
                400,
                "Bad Request: group chat was upgraded to a supergroup chat",
                migrate_to_chat_id=found.upgraded_to,
                foreseeable=False,
            )
        if found.shut_out is not None:
            raise forbidden(found.shut_out)
        return found

    def _by_name(self, name: str) -> Conversation | None:
        wanted = name.removeprefix("@").lower()
        named = (found for found in self.conversations.values() if (found.chat.username or "").lower() == wanted)
        return next(named, None) if name.startswith("@") else None

    def announce(self, kind: str, event: TelegramObject) -> int | None:
        """Queue an update about `event` for the bot."""
        return self.updates.add(kind, as_json(event))


def as_json(value: TelegramObject) -> dict[str, object]:
    """Write one of aiogram's objects as the Bot API does: by its wire names, without what is absent."""
    written: Mapping[str, object] = value.model_dump(mode="json", by_alias=True, exclude_none=True)
    return dict(written)


def buttons_of(message: Message) -> list[str]:
    """Give the callback data of a message's buttons, in reading order."""
    markup = message.reply_markup
    if not isinstance(markup, InlineKeyboardMarkup):
        return []
    return [button.callback_data for row in markup.inline_keyboard for button in row if button.callback_data]
