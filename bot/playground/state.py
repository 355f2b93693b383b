"""State of the stand-in: the bot, chats, users, files, updates and commands. Knows no HTTP."""

import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiogram.types import BotCommand, CallbackQuery, InlineKeyboardMarkup, Message, TelegramObject, User

from bot.playground.api_errors import ApiError, bad_request, forbidden
from bot.playground.chats import Conversation
from bot.playground.notifier import Notifier
from bot.playground.stored_files import StoredFiles
from bot.playground.update_queue import UpdateQueue

CALLBACK_LIFETIME_S = 30.0


@dataclass(slots=True)
class ButtonPress:
    """A press of an inline button, and the bot's answers to it."""

    query: CallbackQuery
    at: float
    answers: list[str | None] = field(default_factory=list)
    alert: bool = False


@dataclass(slots=True)
class Action:
    """A chat action that the bot sent, such as `typing`."""

    chat_id: int
    thread_id: int | None
    action: str
    at: float


@dataclass(slots=True)
class Draft:
    """A partial text, shown for half a minute (sendMessageDraft)."""

    chat_id: int
    thread_id: int | None
    text: str
    at: float


@dataclass(slots=True)
class Webhook:
    """The webhook; with no `url`, updates wait for getUpdates."""

    url: str = ""
    secret_token: str | None = None
    max_connections: int = 40
    last_error_at: int | None = None
    last_error: str | None = None


class ServerState:
    """The state behind all methods, with a clock that tests can move forward."""

    def __init__(self, bot: User) -> None:
        """Create a bot without chats."""
        self.bot = bot
        self.clock_offset_s = 0.0
        self.changed = Notifier()
        self.conversations: dict[int, Conversation] = {}
        self.users: dict[int, User] = {bot.id: bot}
        self.files = StoredFiles(self.now)
        self.updates = UpdateQueue(self.now)
        self.webhook = Webhook()
        self.button_presses: dict[str, ButtonPress] = {}
        self.commands: dict[tuple[str, str], list[BotCommand]] = {}
        self.actions: list[Action] = []
        self.drafts: dict[tuple[int, int], Draft] = {}
        self.reactions: dict[tuple[int, int], list[str]] = {}
        self.unanswered_edits: set[tuple[str, str]] = set()  # by chat and message
        self.unanswered_deletions: set[tuple[str, str]] = set()
        self.query_numbers = itertools.count(4_000_000_000_001)

    def now(self) -> float:
        """Give the time in seconds since the epoch."""
        return time.time() + self.clock_offset_s

    def conversation(self, chat_id: int | str) -> Conversation:
        """Find a chat by id or @username.

        Raises:
            ApiError: There is no such chat, it was upgraded to a supergroup, or the bot was blocked or removed.
        """
        found = self._by_name(chat_id) if isinstance(chat_id, str) else self.conversations.get(chat_id)
        if found is None:
            raise bad_request("chat not found")
        if found.upgraded_to is not None:
            raise ApiError(
                400,
                "Bad Request: group chat was upgraded to a supergroup chat",
                migrate_to_chat_id=found.upgraded_to,
                is_avoidable=False,
            )
        if found.blocked_reason is not None:
            raise forbidden(found.blocked_reason)
        return found

    def _by_name(self, name: str) -> Conversation | None:
        wanted = name.removeprefix("@").lower()
        named = (found for found in self.conversations.values() if (found.chat.username or "").lower() == wanted)
        return next(named, None) if name.startswith("@") else None

    def announce(self, kind: str, event: TelegramObject) -> int | None:
        """Queue an update of `kind` with `event`; give its id, or None when the bot does not want this kind."""
        return self.updates.add(kind, as_json(event))


def as_json(value: TelegramObject) -> dict[str, object]:
    """Convert an aiogram object to the Bot API's JSON: by its wire names, without absent fields."""
    written: Mapping[str, object] = value.model_dump(mode="json", by_alias=True, exclude_none=True)
    return dict(written)


def callback_data_of(message: Message) -> list[str]:
    """Give the callback data of a message's buttons, in reading order."""
    markup = message.reply_markup
    if not isinstance(markup, InlineKeyboardMarkup):
        return []
    return [button.callback_data for row in markup.inline_keyboard for button in row if button.callback_data]
