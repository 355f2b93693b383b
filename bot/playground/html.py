"""Parses Telegram's HTML (`parse_mode=HTML`) into plain text and entities; errors are worded as Telegram words them.

The rules are those of TDLib, which the Bot API server parses with. Python's `html.parser` reads HTML as a browser does:
comments, `1 < 2` and `&nbsp;`, which TDLib refuses or leaves as they are.
"""

import re
from dataclasses import dataclass

from aiogram.types import MessageEntity

from bot.playground.api_errors import ApiError, bad_request
from bot.playground.entities import link_entity, sort_entities, utf16_length

ENTITY_TYPES = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
    "blockquote": "blockquote",
    "pre": "pre",
    "code": "code",
    "a": "text_link",
    "tg-emoji": "custom_emoji",
    "tg-time": "date_time",
}
SPACES = r"[ \t\r\n\v\0]*"
NAME = r"[^ \t\r\n\v\0>]*"
ATTRIBUTE_NAME = r"[^ \t\r\n\v\0=>/\"']*"
INVALID_UNICODE = (
    "Text contains invalid Unicode characters after decoding HTML entities, check for unmatched surrogate code units"
)
NAMED_CHARACTERS = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
CHARACTER_REFERENCE = re.compile(
    r"&(?:#[xX]([0-9a-fA-F]{1,6})(?![0-9a-fA-F])|#([0-9]{1,7})(?![0-9])|(lt|gt|amp|quot)(?![a-zA-Z]));?"
)


def parse_html(source: str) -> tuple[str, list[MessageEntity]]:
    """Give the plain text of `source` and its entities, sorted.

    Raises:
        ApiError: The markup is wrong.
    """
    parser = _Parser(source)
    parser.parse()
    return parser.text, sort_entities(map(_without_language_of_code, parser.entities))


@dataclass(frozen=True, slots=True)
class _Tag:
    name: str
    attributes: dict[str, str]
    begin: int


class _Parser:
    def __init__(self, source: str) -> None:
        self.source, self.at = source, 0
        self.text = ""
        self.entities: list[MessageEntity] = []
        self.open_tags: list[_Tag] = []

    def parse(self) -> None:
        while not self._is_at_end():
            begin = self.at
            if plain := self._take("[^<]+"):
                self.text += _decode_references(plain)
            elif self._take("</"):
                self._parse_end_tag(begin)
            else:
                self._parse_start_tag(begin)
        if self.open_tags:
            raise _parse_error(f'Can\'t find end tag corresponding to start tag "{self.open_tags[-1].name}"')
        if any("\ud800" <= character <= "\udfff" for character in self.text):
            raise _parse_error(INVALID_UNICODE)

    def _is_at_end(self) -> bool:
        return self.at == len(self.source)

    def _take(self, pattern: str) -> str:
        """Consume what matches `pattern` here; "" when nothing does."""
        match = re.compile(pattern).match(self.source, self.at)
        self.at = match.end() if match else self.at
        return match[0] if match else ""

    def _place(self, position: int) -> str:
        return f"at byte offset {len(self.source[:position].encode())}"

    def _check_closed(self, begin: int, tag: str = "") -> None:
        if self._is_at_end():
            raise _parse_error(f"Unclosed start tag {tag}{self._place(begin)}")

    def _parse_start_tag(self, begin: int) -> None:
        name = _ascii_lower(self._take(f"<{NAME}")[1:])
        self._check_closed(begin)
        if name not in ENTITY_TYPES:
            raise _parse_error(f'Unsupported start tag "{name}" {self._place(begin)}')
        attributes: dict[str, str] = {}
        while not self._take(f"{SPACES}>"):
            self._parse_attribute(begin, name, attributes)
        if name == "span" and attributes.get("class") != "tg-spoiler":
            raise _parse_error(f'Tag "span" must have class "tg-spoiler" {self._place(begin)}')
        self.open_tags.append(_Tag(name, attributes, len(self.text)))

    def _parse_attribute(self, begin: int, tag: str, attributes: dict[str, str]) -> None:
        self._take(SPACES)
        name = self._take(ATTRIBUTE_NAME)
        if not name:
            raise _parse_error(f'Empty attribute name in the tag "{tag}" {self._place(begin)}')
        self._take(SPACES)
        has_value = self._take(f"={SPACES}")
        self._check_closed(begin, f'"{tag}" ')
        attributes[name] = self._parse_value(begin) if has_value else ""

    def _parse_value(self, begin: int) -> str:
        if quoted := self._take(r"""'[^']*'?|"[^"]*"?"""):
            self._check_closed(begin)
            return _decode_references(quoted[1:-1])
        start, value = self.at, self._take("[a-zA-Z0-9.-]*")
        self._check_closed(begin)
        if self.source[self.at] not in " \t\r\n\v\0>":
            raise _parse_error(f"Unexpected end of name token {self._place(start)}")
        return value.lower()

    def _parse_end_tag(self, begin: int) -> None:
        if not self.open_tags:
            raise _parse_error(f"Unexpected end tag {self._place(begin)}")
        name = _ascii_lower(self._take(NAME))
        if not self._take(f"{SPACES}>"):
            raise _parse_error(f"Unclosed end tag {self._place(begin)}")
        tag = self.open_tags.pop()
        if name not in {"", tag.name}:
            raise _parse_error(f'Unmatched end tag {self._place(begin)}, expected "</{tag.name}>", found "</{name}>"')
        covered = self.text[tag.begin :]
        entity = _entity(tag, utf16_length(self.text[: tag.begin]), covered) if covered else None
        if entity is not None:
            self._add(entity)

    def _add(self, entity: MessageEntity) -> None:
        """Add an entity; `<pre>` and `<code class="language-…">` around the same text become one."""
        last = self.entities[-1] if self.entities else entity
        code, pre = sorted((last, entity), key=lambda one: one.type)
        is_block = (code.type, pre.type) == ("code", "pre") and code.language and not pre.language
        if is_block and (code.offset, code.length) == (pre.offset, pre.length):
            self.entities[-1] = pre.model_copy(update={"language": code.language})
        else:
            self.entities.append(entity)


def _entity(tag: _Tag, offset: int, covered: str) -> MessageEntity | None:
    entity = MessageEntity(type=ENTITY_TYPES[tag.name], offset=offset, length=utf16_length(covered))
    language = tag.attributes.get("class", "")
    match tag.name:
        case "blockquote" if "expandable" in tag.attributes:
            return entity.model_copy(update={"type": "expandable_blockquote"})
        case "code" if language.startswith("language-"):
            return entity.model_copy(update={"language": language.removeprefix("language-")})
        case "a":
            return link_entity(entity, tag.attributes.get("href") or covered)
        case "tg-emoji":
            return _custom_emoji(entity, tag.attributes.get("emoji-id", ""))
        case "tg-time":
            return _date_time(entity, tag.attributes.get("unix", ""), tag.attributes.get("format", ""))
    return entity


def _custom_emoji(entity: MessageEntity, emoji_id: str) -> MessageEntity:
    if not re.fullmatch("-?[1-9][0-9]{0,18}", emoji_id):
        raise _parse_error("Invalid custom emoji identifier specified")
    return entity.model_copy(update={"custom_emoji_id": emoji_id})


def _date_time(entity: MessageEntity, unix: str, style: str) -> MessageEntity | None:
    if not re.fullmatch("[rR]?|[tTdDwW]+", style):
        raise _parse_error("Invalid date format used")
    seconds = re.match("[0-9]*", unix)
    if seconds is None or not int(seconds[0] or 0):
        return None
    return entity.model_copy(update={"unix_time": int(seconds[0]), "date_time_format": style or None})


def _without_language_of_code(entity: MessageEntity) -> MessageEntity:
    return entity.model_copy(update={"language": None}) if entity.type == "code" else entity


def _ascii_lower(name: str) -> str:
    return name.encode().lower().decode()


def _decode_references(text: str) -> str:
    return CHARACTER_REFERENCE.sub(_decoded, text)


def _decoded(reference: re.Match[str]) -> str:
    hexadecimal, decimal, name = reference.groups()
    if name:
        return NAMED_CHARACTERS[name]
    code = int(hexadecimal, 16) if hexadecimal else int(decimal)
    return chr(code) if 0 < code < 0x10FFFF else reference[0]  # noqa: PLR2004 - TDLib's bound


def _parse_error(words: str) -> ApiError:
    return bad_request(f"can't parse entities: {words}")
