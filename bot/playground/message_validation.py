"""Validates messages as Telegram does: text, entities, buttons, forum topic, the message replied to."""

from aiogram.types import (
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    Message,
    MessageEntity,
    ReplyParameters,
    TelegramObject,
)

from bot.playground.api_errors import bad_request
from bot.playground.chats import GENERAL_TOPIC, Conversation
from bot.playground.entities import detect_entities, strip_text, utf16_length, validate_entities
from bot.playground.html import parse_html

MAX_TEXT = 4096
MAX_BYTES = 32768
MAX_CAPTION = 1024
MAX_BUTTONS = 100
MAX_CALLBACK_BYTES = 64
# Telegram drops carriage returns, and makes a space of other control characters.
CONTROL_CHARACTERS = {number: " " for number in range(32) if chr(number) not in "\n\r"} | {13: None}
BUTTON_ACTIONS = frozenset(InlineKeyboardButton.model_fields) - {"text", "icon_custom_emoji_id", "style"}

ParsedText = tuple[str, list[MessageEntity]]


def parse_text(text: str, parse_mode: str | None, entities: list[MessageEntity] | None) -> ParsedText:
    """Parse the markup, clean and strip the text, and detect links and commands in it.

    Raises:
        ApiError: The text, its markup or its entities are wrong.
    """
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise bad_request("strings must be encoded in UTF-8")
    if len(text.encode()) > MAX_BYTES:
        raise bad_request("text is too long")
    plain, found = _parse_markup(text.translate(CONTROL_CHARACTERS), parse_mode, entities)
    plain, found = strip_text(plain, found)
    return plain, detect_entities(plain, found)


def _parse_markup(text: str, parse_mode: str | None, entities: list[MessageEntity] | None) -> ParsedText:
    match (parse_mode or "").lower():
        case "html":
            return parse_html(text)
        case "markdown" | "markdownv2":
            raise bad_request(f"parse_mode {parse_mode} is not part of the playground")
        case "":
            return text, validate_entities(text, entities or [])
        case _:
            raise bad_request("unsupported parse_mode")


def message_text(text: str, parse_mode: str | None, entities: list[MessageEntity] | None) -> ParsedText:
    """Parse the text of a new message and check its length."""
    plain, found = parse_text(text, parse_mode, entities)
    if not plain:
        raise bad_request("message text is empty" if not text else "text must be non-empty")
    if utf16_length(plain) > MAX_TEXT:
        raise bad_request("message is too long")
    return plain, found


def caption_text(text: str | None, parse_mode: str | None, entities: list[MessageEntity] | None) -> ParsedText:
    """Parse a caption, which may be empty, and check its length."""
    plain, found = parse_text(text or "", parse_mode, entities)
    if utf16_length(plain) > MAX_CAPTION:
        raise bad_request("message caption is too long")
    return plain, found


def check_markup(markup: TelegramObject | None) -> InlineKeyboardMarkup | None:
    """Check an inline keyboard; other kinds of keyboards are accepted and ignored."""
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
    actions = [name for name in BUTTON_ACTIONS if getattr(button, name) is not None]
    if not actions:
        raise bad_request("can't parse inline keyboard button: text buttons are unallowed in the inline keyboard")
    if len(actions) > 1:
        raise bad_request(f"can't parse inline keyboard button: exactly one of {', '.join(sorted(actions))} is allowed")
    size = len((button.callback_data or "").encode())
    if button.callback_data is not None and not 1 <= size <= MAX_CALLBACK_BYTES:
        raise bad_request("BUTTON_DATA_INVALID")
    if button.url is not None and not button.url.startswith(("http://", "https://", "tg://")):
        raise bad_request(f"inline keyboard button URL '{button.url}' is invalid: Wrong HTTP URL")


def check_thread(conversation: Conversation, thread_id: int | None) -> int | None:
    """Check the forum topic of a message and give its id. The general topic has no id that can be named."""
    if not thread_id:
        closed = conversation.general_closed and conversation.bot.id not in conversation.administrators
        if closed:
            raise bad_request("TOPIC_CLOSED", is_avoidable=False)
        return None
    topic = conversation.topics.get(thread_id) if thread_id != GENERAL_TOPIC else None
    if topic is None:
        gone = thread_id in conversation.deleted_topics
        raise bad_request("message thread not found", is_avoidable=not gone)
    if topic.closed and conversation.bot.id not in conversation.administrators:
        raise bad_request("TOPIC_CLOSED", is_avoidable=False)
    return thread_id


def check_reply(conversation: Conversation, reply: ReplyParameters | None) -> Message | None:
    """Find the message replied to; None when there is none and that is allowed."""
    if reply is None or not reply.message_id:
        return None
    if reply.chat_id not in {None, conversation.chat.id}:
        raise bad_request("replies to other chats are not part of the playground")
    found = conversation.messages.get(reply.message_id)
    if found is None and reply.allow_sending_without_reply is not True:
        gone = reply.message_id in conversation.deleted_by_users
        raise bad_request("message to be replied not found", is_avoidable=not gone)
    return found
