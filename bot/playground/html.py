"""Telegram's HTML: a text with tags becomes a plain text with entities, or a refusal in Telegram's words."""

from dataclasses import dataclass, field

from aiogram.types import MessageEntity

from bot.playground.entities import link_entity, sort_entities, utf16_length
from bot.playground.refusals import Refusal, bad_request

STYLES = {
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
CHARACTERS = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
SPACE = " \t\r\n\0\v"


def parse_html(source: str) -> tuple[str, list[MessageEntity]]:
    """Read `source` as `parse_mode=HTML` does."""
    reader = _Reader(source)
    reader.read()
    return "".join(reader.text), sort_entities(reader.entities)


@dataclass(slots=True)
class _Tag:
    name: str
    attributes: dict[str, str]
    offset: int
    begin: int


@dataclass(slots=True)
class _Reader:
    source: str
    at: int = 0
    offset: int = 0
    text: list[str] = field(default_factory=list)
    entities: list[MessageEntity] = field(default_factory=list)
    open: list[_Tag] = field(default_factory=list)

    def read(self) -> None:
        while self.at < len(self.source):
            if self.source[self.at] == "<":
                self._tag()
            else:
                self._put(self._character())
        if self.open:
            raise _unparsable(f'Can\'t find end tag corresponding to start tag "{self.open[-1].name}"')
        self.entities = [_without_language(entity) for entity in self.entities]

    def _put(self, character: str) -> None:
        self.text.append(character)
        self.offset += utf16_length(character)

    def _character(self) -> str:
        if self.source[self.at] == "&" and (decoded := _reference(self.source, self.at)):
            character, self.at = decoded
            return character
        self.at += 1
        return self.source[self.at - 1]

    def _tag(self) -> None:
        begin = self.at
        self.at += 1
        if self._peek() == "/":
            self._end_tag(begin)
        else:
            self._start_tag(begin)

    def _peek(self) -> str:
        return self.source[self.at] if self.at < len(self.source) else ""

    def _until(self, stops: str) -> str:
        begin = self.at
        while (character := self._peek()) and character not in stops:
            self.at += 1
        return self.source[begin : self.at]

    def _skip_space(self) -> None:
        while (character := self._peek()) and character in SPACE:
            self.at += 1

    def _start_tag(self, begin: int) -> None:
        name = self._until(SPACE + ">").lower()
        if not self._peek():
            raise self._unclosed(begin)
        if name not in STYLES:
            raise _unparsable(f'Unsupported start tag "{name}" at byte offset {self._bytes(begin)}')
        attributes = self._attributes(name, begin)
        if name == "span" and attributes.get("class") != "tg-spoiler":
            raise _unparsable(f'Tag "span" must have class "tg-spoiler" at byte offset {self._bytes(begin)}')
        self.at += 1
        self.open.append(_Tag(name, attributes, self.offset, len(self.text)))

    def _attributes(self, tag: str, begin: int) -> dict[str, str]:
        attributes: dict[str, str] = {}
        while self._peek() != ">":
            self._skip_space()
            if self._peek() == ">":
                break
            name = self._until(SPACE + "=>")
            if not name:
                raise _unparsable(f'Empty attribute name in the tag "{tag}" at byte offset {self._bytes(begin)}')
            attributes[name.lower()] = self._value(begin)
        return attributes

    def _value(self, begin: int) -> str:
        self._skip_space()
        if self._peek() != "=":
            return self._bare(begin)
        self.at += 1
        self._skip_space()
        value = self._quoted() if self._peek() in {"'", '"'} else self._token(begin)
        if not self._peek():
            raise self._unclosed(begin)
        return value

    def _bare(self, begin: int) -> str:
        if not self._peek():
            raise self._unclosed(begin)
        return ""

    def _quoted(self) -> str:
        quote = self._peek()
        self.at += 1
        value = []
        while self._peek() and self._peek() != quote:
            value.append(self._character())
        if self._peek():
            self.at += 1
        return "".join(value)

    def _token(self, begin: int) -> str:
        start = self.at
        if not self._peek():
            raise self._unclosed(begin)
        while (character := self._peek()) and ((character.isascii() and character.isalnum()) or character in ".-"):
            self.at += 1
        if self._peek() and self._peek() not in SPACE + ">":
            raise _unparsable(f"Unexpected end of name token at byte offset {self._bytes(start)}")
        return self.source[start : self.at].lower()

    def _end_tag(self, begin: int) -> None:
        if not self.open:
            raise _unparsable(f"Unexpected end tag at byte offset {self._bytes(begin)}")
        self.at += 1
        name = self._until(SPACE + ">").lower()
        self._skip_space()
        if self._peek() != ">":
            raise _unparsable(f"Unclosed end tag at byte offset {self._bytes(begin)}")
        self.at += 1
        tag = self.open.pop()
        if name not in {"", tag.name}:
            raise _unparsable(
                f'Unmatched end tag at byte offset {self._bytes(begin)}, expected "</{tag.name}>", found "</{name}>"'
            )
        self._close(tag)

    def _close(self, tag: _Tag) -> None:
        if self.offset == tag.offset:
            return
        entity = _entity(tag, self.offset - tag.offset, "".join(self.text[tag.begin :]))
        if entity is not None and not self._merged_code(tag, entity):
            self.entities.append(entity)

    def _merged_code(self, tag: _Tag, entity: MessageEntity) -> bool:
        """Make one block with a language out of `<pre><code class="language-…">`."""
        inner = self.entities[-1] if self.entities else None
        if tag.name != "pre" or inner is None or inner.type != "code" or not inner.language:
            return False
        if (inner.offset, inner.length) != (entity.offset, entity.length):
            return False
        self.entities[-1] = entity.model_copy(update={"language": inner.language})
        return True

    def _bytes(self, position: int) -> int:
        return len(self.source[:position].encode("utf-8", "surrogatepass"))

    def _unclosed(self, begin: int) -> Refusal:
        return _unparsable(f"Unclosed start tag at byte offset {self._bytes(begin)}")


def _without_language(entity: MessageEntity) -> MessageEntity:
    return entity.model_copy(update={"language": None}) if entity.type == "code" else entity


def _unparsable(words: str) -> Refusal:
    return bad_request(f"can't parse entities: {words}")


def _reference(source: str, at: int) -> tuple[str, int] | None:
    """Decode `&amp;`, `&#38;` or `&#x26;` at `at`; the semicolon may be missing."""
    end = at + 1
    if source.startswith("#", end):
        return _number(source, at)
    while end < len(source) and source[end].isascii() and source[end].isalpha():
        end += 1
    character = CHARACTERS.get(source[at + 1 : end])
    return (character, end + source.startswith(";", end)) if character else None


def _number(source: str, at: int) -> tuple[str, int] | None:
    hexadecimal = source.startswith("x", at + 2)
    start = end = at + (3 if hexadecimal else 2)
    while end < len(source) and source[end] in ("0123456789abcdefABCDEF" if hexadecimal else "0123456789"):
        end += 1
    code = int(source[start:end] or "0", 16 if hexadecimal else 10)
    if code == 0 or code >= 0x10FFFF or end - at >= 10:  # noqa: PLR2004 - the bounds are Telegram's
        return None
    return chr(code), end + source.startswith(";", end)


def _entity(tag: _Tag, length: int, covered: str) -> MessageEntity | None:
    kind = STYLES[tag.name]
    entity = MessageEntity(type=kind, offset=tag.offset, length=length)
    if tag.name == "blockquote" and "expandable" in tag.attributes:
        return entity.model_copy(update={"type": "expandable_blockquote"})
    if tag.name == "code" and tag.attributes.get("class", "").startswith("language-"):
        return entity.model_copy(update={"language": tag.attributes["class"].removeprefix("language-")})
    if tag.name == "a":
        return link_entity(entity, tag.attributes.get("href") or covered)
    if tag.name == "tg-emoji":
        return _emoji(entity, tag.attributes.get("emoji-id", ""))
    if tag.name == "tg-time":
        return _time(entity, tag.attributes)
    return entity


def _emoji(entity: MessageEntity, emoji: str) -> MessageEntity:
    if not emoji.isdecimal() or int(emoji) == 0:
        raise _unparsable("Invalid custom emoji identifier specified")
    return entity.model_copy(update={"custom_emoji_id": emoji})


def _time(entity: MessageEntity, attributes: dict[str, str]) -> MessageEntity:
    unix = attributes.get("unix", "")
    if not unix.isdecimal():
        raise _unparsable("Invalid date-time specified")
    return entity.model_copy(update={"unix_time": int(unix), "date_time_format": attributes.get("format") or None})
