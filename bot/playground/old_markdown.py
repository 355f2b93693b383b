"""Telegram's first Markdown, which bots still use: four marks, no nesting. Becomes a plain text with entities."""

from aiogram.types import MessageEntity

from bot.playground.entities import link_entity, sort_entities, utf16_length
from bot.playground.refusals import Refusal, bad_request

STYLES = {"*": "bold", "_": "italic", "`": "code", "```": "pre"}
ENDS = {"[": "]"} | {mark: mark for mark in STYLES}
ESCAPABLE = "_*`["


def parse_old_markdown(source: str) -> tuple[str, list[MessageEntity]]:
    """Read `source` as `parse_mode=Markdown` does."""
    text: list[str] = []
    entities: list[MessageEntity] = []
    at = 0
    while at < len(source):
        if source[at] == "\\" and source[at + 1 : at + 2] and source[at + 1] in ESCAPABLE:
            text.append(source[at + 1])
            at += 2
        elif source[at] in ESCAPABLE:
            at = _entity(source, at, text, entities)
        else:
            text.append(source[at])
            at += 1
    return "".join(text), sort_entities(entities)


def _entity(source: str, begin: int, text: list[str], entities: list[MessageEntity]) -> int:
    """Read one marked part; give where it ends."""
    mark = "```" if source.startswith("```", begin) else source[begin]
    start = begin + len(mark)
    end = source.find(ENDS[mark], start)
    if end < 0:
        raise _unended(source, begin)
    covered, after = source[start:end], end + len(ENDS[mark])
    entity = MessageEntity(
        type=STYLES.get(mark, "text_link"), offset=utf16_length("".join(text)), length=utf16_length(covered)
    )
    if mark == "[":
        url, after = _address(source, begin, covered, after)
        linked = link_entity(entity, url)
        entities += [linked] if linked is not None else []
    else:
        entities.append(entity)
    text.append(covered)
    return after


def _address(source: str, begin: int, covered: str, after: int) -> tuple[str, int]:
    if not source.startswith("(", after):
        return covered, after
    end = source.find(")", after)
    if end < 0:
        raise _unended(source, begin)
    return source[after + 1 : end], end + 1


def _unended(source: str, begin: int) -> Refusal:
    position = len(source[:begin].encode())
    return bad_request(f"can't parse entities: Can't find end of the entity starting at byte offset {position}")
