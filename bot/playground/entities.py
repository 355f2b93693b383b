"""Message entities: lengths in UTF-16 code units, sorting, validation, detection. Knows no markup language."""

import re
from collections.abc import Iterable, Iterator

from aiogram.types import MessageEntity, User

from bot.playground.api_errors import bad_request

# Telegram sorts entities that begin and end together by these ranks, outermost first.
NESTING_RANKS = {
    "blockquote": 0,
    "expandable_blockquote": 0,
    "pre": 11,
    "code": 20,
    "text_link": 49,
    "text_mention": 49,
    "bold": 90,
    "italic": 91,
    "underline": 92,
    "strikethrough": 93,
    "spoiler": 94,
    "custom_emoji": 99,
}
DETECTED_RANK = 50
DETECTED_TYPES = frozenset({
    "mention", "hashtag", "cashtag", "bot_command", "url", "email", "phone_number", "bank_card_number", "date_time",
})  # fmt: skip
MENTION = "tg://user?id="
DETECTED_PATTERNS = {
    "bot_command": re.compile(r"(?<![\w/<>])/[a-zA-Z0-9_]{1,64}(?:@[a-zA-Z0-9_]{3,32})?(?![\w/<>@])"),
    "url": re.compile(r"(?<!\w)https?://[^\s<>\"]*[^\s<>\".,;:!?)\]}]"),
    "mention": re.compile(r"(?<!\w)@[a-zA-Z0-9_]{2,32}(?!\w)"),
    "hashtag": re.compile(r"(?<![\w#])#\w*[^\W\d]\w*(?![\w#])"),
}


def utf16_length(text: str) -> int:
    """Count UTF-16 code units, the unit of Telegram's limits and offsets."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def sort_entities(entities: Iterable[MessageEntity]) -> list[MessageEntity]:
    """Sort by offset, longer ones first, and drop empty ones."""
    kept = [entity for entity in entities if entity.length > 0]
    return sorted(
        kept, key=lambda entity: (entity.offset, -entity.length, NESTING_RANKS.get(entity.type, DETECTED_RANK))
    )


def link_entity(entity: MessageEntity, url: str) -> MessageEntity | None:
    """Make `entity` a link to `url`, or the mention of a user; None when `url` is no address."""
    if url.startswith(MENTION) and url.removeprefix(MENTION).isdecimal():
        user = User(id=int(url.removeprefix(MENTION)), is_bot=False, first_name="")
        return entity.model_copy(update={"type": "text_mention", "user": user})
    if "." not in url and "://" not in url:
        return None
    return entity.model_copy(update={"type": "text_link", "url": url if ":" in url else f"http://{url}/"})


def validate_entities(text: str, entities: list[MessageEntity]) -> list[MessageEntity]:
    """Check entities that the bot gave; those that only Telegram detects are dropped.

    Raises:
        ApiError: A type is unknown, or an entity reaches outside the text or splits a character.
    """
    for entity in entities:
        if entity.type not in NESTING_RANKS and entity.type not in DETECTED_TYPES:
            raise bad_request("can't parse MessageEntity: Unsupported type specified")
    own = [entity for entity in entities if entity.type in NESTING_RANKS]
    check_bounds(text, own)
    return sort_entities(own)


def check_bounds(text: str, entities: Iterable[MessageEntity]) -> None:
    """Refuse entities that reach outside the text or split a surrogate pair."""
    borders = {0, *_borders(text)}
    for entity in entities:
        if entity.offset not in borders or entity.offset + entity.length not in borders:
            raise bad_request("ENTITY_BOUNDS_INVALID")


def _borders(text: str) -> Iterator[int]:
    at = 0
    for character in text:
        at += utf16_length(character)
        yield at


def strip_text(text: str, entities: list[MessageEntity]) -> tuple[str, list[MessageEntity]]:
    """Strip white space at both ends, as Telegram does with every text, and move the entities accordingly."""
    shift = utf16_length(text) - utf16_length(text.lstrip())
    stripped = text.strip()
    end = utf16_length(stripped)
    moved = [_clip(entity, entity.offset - shift, end) for entity in entities]
    return stripped, sort_entities(moved)


def _clip(entity: MessageEntity, offset: int, end: int) -> MessageEntity:
    start = min(max(offset, 0), end)
    stop = min(max(offset + entity.length, 0), end)
    return entity.model_copy(update={"offset": start, "length": stop - start})


def detect_entities(text: str, taken: list[MessageEntity]) -> list[MessageEntity]:
    """Add what Telegram detects by itself: commands, URLs, mentions and hashtags outside code and links."""
    closed = [entity for entity in taken if entity.type in {"pre", "code", "text_link", "text_mention"}]
    found = list(taken)
    for kind, pattern in DETECTED_PATTERNS.items():
        for match in pattern.finditer(text):
            entity = MessageEntity(
                type=kind, offset=utf16_length(text[: match.start()]), length=utf16_length(match.group())
            )
            if not any(_overlap(entity, other) for other in closed):
                found.append(entity)
                closed.append(entity)
    return sort_entities(found)


def _overlap(one: MessageEntity, other: MessageEntity) -> bool:
    return one.offset < other.offset + other.length and other.offset < one.offset + one.length
