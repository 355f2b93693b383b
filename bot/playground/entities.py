"""Text as Telegram counts and sorts it: lengths in UTF-16 units, entities that nest. Knows no markup language."""

import re
from collections.abc import Iterable, Iterator

from aiogram.types import MessageEntity, User

from bot.playground.api_errors import bad_request

# Telegram sorts entities that begin and end together by these ranks, outermost first.
RANKS = {
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
FOUND_RANK = 50
FOUND_BY_TELEGRAM = frozenset({
    "mention", "hashtag", "cashtag", "bot_command", "url", "email", "phone_number", "bank_card_number", "date_time",
})  # fmt: skip
MENTION = "tg://user?id="
FOUND = {
    "bot_command": re.compile(r"(?<![\w/<>])/[a-zA-Z0-9_]{1,64}(?:@[a-zA-Z0-9_]{3,32})?(?![\w/<>@])"),
    "url": re.compile(r"(?<!\w)https?://[^\s<>\"]*[^\s<>\".,;:!?)\]}]"),
    "mention": re.compile(r"(?<!\w)@[a-zA-Z0-9_]{2,32}(?!\w)"),
    "hashtag": re.compile(r"(?<![\w#])#\w*[^\W\d]\w*(?![\w#])"),
}


def utf16_length(text: str) -> int:
    """Count UTF-16 code units, as all of Telegram's limits and offsets do."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def utf16_slice(text: str, offset: int, length: int) -> str:
    """Cut out what an entity covers; halves of a pair come out as replacement characters."""
    units = text.encode("utf-16-le", "surrogatepass")
    return units[offset * 2 : (offset + length) * 2].decode("utf-16-le", "replace")


def sort_entities(entities: Iterable[MessageEntity]) -> list[MessageEntity]:
    """Order by offset, the longer first, and drop the empty ones."""
    kept = [entity for entity in entities if entity.length > 0]
    return sorted(kept, key=lambda entity: (entity.offset, -entity.length, RANKS.get(entity.type, FOUND_RANK)))


def link_entity(entity: MessageEntity, url: str) -> MessageEntity | None:
    """Make `entity` a link to `url`, or the mention of a person; an address that is none stays plain text."""
    if url.startswith(MENTION) and url.removeprefix(MENTION).isdecimal():
        user = User(id=int(url.removeprefix(MENTION)), is_bot=False, first_name="")
        return entity.model_copy(update={"type": "text_mention", "user": user})
    if "." not in url and "://" not in url:
        return None
    return entity.model_copy(update={"type": "text_link", "url": url if ":" in url else f"http://{url}/"})


def check_given(text: str, entities: list[MessageEntity]) -> list[MessageEntity]:
    """Check the entities that a bot names itself; those that Telegram finds by itself are passed over."""
    for entity in entities:
        if entity.type not in RANKS and entity.type not in FOUND_BY_TELEGRAM:
            raise bad_request("can't parse MessageEntity: Unsupported type specified")
    own = [entity for entity in entities if entity.type in RANKS]
    check_bounds(text, own)
    return sort_entities(own)


def check_bounds(text: str, entities: Iterable[MessageEntity]) -> None:
    """Refuse entities that reach outside the text or cut a character in two."""
    borders = {0, *_borders(text)}
    for entity in entities:
        if entity.offset not in borders or entity.offset + entity.length not in borders:
            raise bad_request("ENTITY_BOUNDS_INVALID")


def _borders(text: str) -> Iterator[int]:
    at = 0
    for character in text:
        at += utf16_length(character)
        yield at


def trim(text: str, entities: list[MessageEntity]) -> tuple[str, list[MessageEntity]]:
    """Strip white space at both ends as Telegram does before it stores a text, and move the entities along."""
    shift = utf16_length(text) - utf16_length(text.lstrip())
    stripped = text.strip()
    end = utf16_length(stripped)
    moved = [_clip(entity, entity.offset - shift, end) for entity in entities]
    return stripped, sort_entities(moved)


def _clip(entity: MessageEntity, offset: int, end: int) -> MessageEntity:
    start = min(max(offset, 0), end)
    stop = min(max(offset + entity.length, 0), end)
    return entity.model_copy(update={"offset": start, "length": stop - start})


def find_entities(text: str, taken: list[MessageEntity]) -> list[MessageEntity]:
    """Add what Telegram finds by itself: commands, addresses, mentions and hashtags outside code and links."""
    closed = [entity for entity in taken if entity.type in {"pre", "code", "text_link", "text_mention"}]
    found = list(taken)
    for kind, pattern in FOUND.items():
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
