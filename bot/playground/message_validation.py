"""What Telegram checks in a message: text, entities, buttons, topic, the message replied to."""

from aiogram.types import (
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    Message,
    MessageEntity,
    ReplyParameters,
    TelegramObject,
)

from bot.playground.api_errors import bad_request
from bot.playground.chats import GENERAL, Conversation
from bot.playground.entities import check_given, find_entities, trim, utf16_length
from bot.playground.html import parse_html

MAX_TEXT = 4096
MAX_BYTES = 32768
MAX_CAPTION = 1024
MAX_BUTTONS = 100
MAX_CALLBACK_BYTES = 64
# Telegram drops carriage returns, and makes a space of other control characters.
CLEANED = {number: " " for number in range(32) if chr(number) not in "\n\r"} | {13: None}
ACTS = frozenset(InlineKeyboardButton.model_fields) - {"text", "icon_custom_emoji_id", "style"}

Formatted = tuple[str, list[MessageEntity]]


def formatted(text: str, parse_mode: str | None, entities: list[MessageEntity] | None) -> Formatted:
    """Apply the markup, then do to the text what Telegram does to every text."""
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise bad_request("strings must be encoded in UTF-8")
    if len(text.encode()) > MAX_BYTES:
        raise bad_request("text is too long")
    plain, found = _parsed(text.translate(CLEANED), parse_mode, entities)
    plain, found = trim(plain, found)
    return plain, find_entities(plain, found)


def _parsed(text: str, parse_mode: str | None, entities: list[MessageEntity] | None) -> Formatted:
    match (parse_mode or "").lower():
        case "html":
            return parse_html(text)
        case "markdown" | "markdownv2":
            raise bad_request(f"parse_mode {parse_mode} is not part of the playground")
        case "":
            return text, check_given(text, entities or [])
        case _:
            raise bad_request("unsupported parse_mode")


def message_text(text: str, parse_mode: str | None, entities: list[MessageEntity] | None) -> Formatted:
    """Check the text of a new message."""
    plain, found = formatted(text, parse_mode, entities)
    if not plain:
        raise bad_request("message text is empty" if not text else "text must be non-empty")
    if utf16_length(plain) > MAX_TEXT:
        raise bad_request("message is too long")
    return plain, found


def caption_text(text: str | None, parse_mode: str | None, entities: list[MessageEntity] | None) -> Formatted:
    """Check a caption, which may be empty."""
    plain, found = formatted(text or "", parse_mode, entities)
    if utf16_length(plain) > MAX_CAPTION:
        raise bad_request("message caption is too long")
    return plain, found


def check_markup(markup: TelegramObject | None) -> InlineKeyboardMarkup | None:
    """Check the buttons under a message; other keyboards change nothing that is seen here."""
    if not isinstance(markup, InlineKeyboardMarkup):
        return None
    rows = [row for row in markup.inline_keyboard if row]
    buttons = [button for row in rows for button in row]
    if len(buttons) > MAX_BUTTONS:
        raise bad_request("reply markup is too long")
    for button in buttons:
        _check_button(button)
    return InlineKeyboardMarkup(inline_keyboard=rows) if rows else None


def _check_button(button: InlineKeyboardButton) -> None:
    if not button.text.strip():
        raise bad_request("can't parse inline keyboard button: text must be non-empty")
    acts = [name for name in ACTS if getattr(button, name) is not None]
    if not acts:
        raise bad_request("can't parse inline keyboard button: text buttons are unallowed in the inline keyboard")
    if len(acts) > 1:
        raise bad_request(f"can't parse inline keyboard button: exactly one of {', '.join(sorted(acts))} is allowed")
    size = len((button.callback_data or "").encode())
    if button.callback_data is not None and not 1 <= size <= MAX_CALLBACK_BYTES:
        raise bad_request("BUTTON_DATA_INVALID")
    if button.url is not None and not button.url.startswith(("http://", "https://", "tg://")):
        raise bad_request(f"inline keyboard button URL '{button.url}' is invalid: Wrong HTTP URL")


def check_thread(conversation: Conversation, thread_id: int | None) -> int | None:
    """Check the topic that a message is for. The general topic has no number that could be named."""
    if not thread_id:
        closed = conversation.general_closed and conversation.bot.id not in conversation.administrators
        if closed:
            raise bad_request("TOPIC_CLOSED", foreseeable=False)
        return None
    topic = conversation.topics.get(thread_id) if thread_id != GENERAL else None
    if topic is None:
        gone = thread_id in conversation.deleted_topics
        raise bad_request("message thread not found", foreseeable=not gone)
    if topic.closed and conversation.bot.id not in conversation.administrators:
        raise bad_request("TOPIC_CLOSED", foreseeable=False)
    return thread_id


def check_reply(conversation: Conversation, reply: ReplyParameters | None) -> Message | None:
    """Find the message that is replied to."""
    if reply is None or not reply.message_id:
        return None
    if reply.chat_id not in {None, conversation.chat.id}:
        raise bad_request("replies to other chats are not part of the playground")
    found = conversation.messages.get(reply.message_id)
    if found is None and reply.allow_sending_without_reply is not True:
        gone = reply.message_id in conversation.deleted_by_people
        raise bad_request("message to be replied not found", foreseeable=not gone)
    return found
