"""Telegram's MarkdownV2: a text with marks becomes a plain text with entities, or a refusal in Telegram's words."""

from dataclasses import dataclass, field

from aiogram.types import MessageEntity

from bot.playground.entities import link_entity, sort_entities, utf16_length
from bot.playground.refusals import Refusal, bad_request

RESERVED = "_*[]()~`>#+-=|{}.!"
STYLES = {"*": "bold", "_": "italic", "__": "underline", "~": "strikethrough", "||": "spoiler"}
NAMES = {
    "*": "Bold", "_": "Italic", "__": "Underline", "~": "Strikethrough", "||": "Spoiler", "[": "TextUrl",
    "![": "CustomEmoji", "`": "Code", "```": "Pre",
}  # fmt: skip
LAST_ESCAPABLE = 126


def parse_markdown(source: str) -> tuple[str, list[MessageEntity]]:
    """Read `source` as `parse_mode=MarkdownV2` does."""
    reader = _Reader(source)
    reader.read()
    return "".join(reader.text), sort_entities(reader.entities)


@dataclass(slots=True)
class _Open:
    mark: str
    offset: int
    begin: int
    text_at: int
    fresh: bool


@dataclass(slots=True)
class _Reader:
    source: str
    at: int = 0
    offset: int = 0
    fresh: bool = True
    text: list[str] = field(default_factory=list)
    entities: list[MessageEntity] = field(default_factory=list)
    open: list[_Open] = field(default_factory=list)
    quote: int | None = None

    def read(self) -> None:
        while self.at < len(self.source):
            self._step()
        self._end_quote("blockquote")
        self._check_closed()

    def _check_closed(self) -> None:
        if self.open:
            last = self.open[-1]
            raise _unended(last.mark, self._bytes(last.begin))

    def _step(self) -> None:
        fresh, self.fresh = self.fresh, False
        character = self.source[self.at]
        if self._escaped():
            self._put(self.source[self.at + 1], 2)
        elif character == "\n":
            self._new_line()
        elif character == ">" and fresh and not self.open:
            self.quote = self.offset if self.quote is None else self.quote
            self.at += 1
        elif character == "`":
            self._code()
        elif character in RESERVED:
            self._mark(fresh=fresh)
        else:
            self._put(character, 1)

    def _escaped(self) -> bool:
        follows = self.source[self.at + 1 : self.at + 2]
        return self.source[self.at] == "\\" and follows != "" and 1 <= ord(follows) <= LAST_ESCAPABLE

    def _put(self, character: str, width: int) -> None:
        self.text.append(character)
        self.offset += utf16_length(character)
        self.at += width

    def _new_line(self) -> None:
        if self.quote is not None and self.source[self.at + 1 : self.at + 2] != ">":
            self._check_closed()
            self._end_quote("blockquote")
        self._put("\n", 1)
        self.fresh = True

    def _end_quote(self, kind: str) -> None:
        if self.quote is not None:
            self._add(kind, self.quote)
        self.quote = None

    def _add(self, kind: str, start: int) -> MessageEntity:
        entity = MessageEntity(type=kind, offset=start, length=self.offset - start)
        self.entities.append(entity)
        return entity

    def _code(self) -> None:
        begin = self.at
        fence = "```" if self.source.startswith("```", self.at) else "`"
        self.at += len(fence)
        language = self._language() if fence == "```" else None
        start = self.offset
        while not self.source.startswith(fence, self.at):
            if self.at >= len(self.source):
                raise _unended(fence, self._bytes(begin))
            escaped = self._escaped()
            self._put(self.source[self.at + escaped], 1 + escaped)
        self.at += len(fence)
        self._add("pre" if fence == "```" else "code", start).language = language

    def _language(self) -> str | None:
        """Read what stands behind the fence, when a line ends there."""
        line, newline, _ = self.source[self.at :].partition("\n")
        if not newline or "`" in line or any(character.isspace() for character in line):
            return None
        self.at += len(line) + 1
        return line or None

    def _mark(self, *, fresh: bool) -> None:
        mark = self._mark_here()
        last = self.open[-1].mark if self.open else None
        if mark == "||" and last != "||" and self._ends_quote():
            self._check_closed()
            self.at += 2
            self._end_quote("expandable_blockquote")
        elif mark == "]" and last in {"[", "!["}:
            self._link(self.open.pop())
        elif mark in STYLES and mark == last:
            self._close(self.open.pop())
        elif mark in STYLES or mark in {"[", "!["}:
            self.open.append(_Open(mark, self.offset, self.at, len(self.text), fresh))
            self.at += len(mark)
        else:
            raise _unparsable(f"Character '{mark}' is reserved and must be escaped with the preceding '\\'")

    def _mark_here(self) -> str:
        pair = self.source[self.at : self.at + 2]
        return pair if pair in {"__", "||", "!["} else self.source[self.at]

    def _ends_quote(self) -> bool:
        return self.quote is not None and self.source[self.at + 2 : self.at + 3] in {"", "\n"}

    def _close(self, opened: _Open) -> None:
        """End a style; an empty one before a quotation parts it from the one above."""
        self.at += len(opened.mark)
        self._add(STYLES[opened.mark], opened.offset)
        self.fresh = opened.fresh and opened.offset == self.offset

    def _link(self, opened: _Open) -> None:
        self.at += 1
        covered = "".join(self.text[opened.text_at :])
        url = self._address(opened) if self.source.startswith("(", self.at) else covered
        entity = MessageEntity(type="text_link", offset=opened.offset, length=self.offset - opened.offset)
        linked = _emoji(entity, url) if opened.mark == "![" else link_entity(entity, url)
        if linked is not None:
            self.entities.append(linked)

    def _address(self, opened: _Open) -> str:
        self.at += 1
        url = []
        while self.at < len(self.source) and self.source[self.at] != ")":
            escaped = self._escaped()
            url.append(self.source[self.at + escaped])
            self.at += 1 + escaped
        if self.at >= len(self.source):
            raise _unparsable(f"Can't find end of a URL at byte offset {self._bytes(opened.begin)}")
        self.at += 1
        return "".join(url)

    def _bytes(self, position: int) -> int:
        return len(self.source[:position].encode())


def _emoji(entity: MessageEntity, url: str) -> MessageEntity:
    identifier = url.removeprefix("tg://emoji?id=")
    if identifier == url or not identifier.isdecimal():
        raise _unparsable("Custom emoji entity must contain a tg://emoji URL")
    return entity.model_copy(update={"type": "custom_emoji", "custom_emoji_id": identifier})


def _unended(mark: str, position: int) -> Refusal:
    return _unparsable(f"Can't find end of {NAMES[mark]} entity at byte offset {position}")


def _unparsable(words: str) -> Refusal:
    return bad_request(f"can't parse entities: {words}")
