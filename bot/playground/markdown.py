"""Telegram's MarkdownV2: a text with marks becomes a plain text with entities, or a refusal in Telegram's words."""

from dataclasses import dataclass, field

from aiogram.types import MessageEntity, User

from bot.playground.entities import sort_entities, utf16_length
from bot.playground.refusals import Refusal, bad_request

RESERVED = "_*[]()~`>#+-=|{}.!"
STYLES = {"*": "bold", "_": "italic", "__": "underline", "~": "strikethrough", "||": "spoiler"}
MENTION = "tg://user?id="
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


@dataclass(slots=True)
class _Reader:
    source: str
    at: int = 0
    offset: int = 0
    text: list[str] = field(default_factory=list)
    entities: list[MessageEntity] = field(default_factory=list)
    open: list[_Open] = field(default_factory=list)
    quote: int | None = None

    def read(self) -> None:
        while self.at < len(self.source):
            self._step()
        self._end_quote(expandable=False)
        if self.open:
            last = self.open[-1]
            raise _unparsable(f"Can't find end of {_name(last.mark)} entity at byte offset {self._bytes(last.begin)}")

    def _step(self) -> None:
        character = self.source[self.at]
        if self._escaped():
            self._put(self.source[self.at + 1], 2)
        elif self._line_begins() and character == ">" and not self._in_code():
            self._begin_quote()
        elif self.quote is not None and self._line_begins():
            self._end_quote(expandable=False)
        elif character == "`":
            self._code()
        elif character in RESERVED:
            self._mark()
        else:
            self._put(character, 1)

    def _escaped(self) -> bool:
        follows = self.source[self.at + 1 : self.at + 2]
        return self.source[self.at] == "\\" and follows != "" and 1 <= ord(follows) <= LAST_ESCAPABLE

    def _line_begins(self) -> bool:
        return self.at == 0 or (self.source[self.at - 1] == "\n" and bool(self.text) and self.text[-1] == "\n")

    def _in_code(self) -> bool:
        return False

    def _put(self, character: str, width: int) -> None:
        self.text.append(character)
        self.offset += utf16_length(character)
        self.at += width

    def _begin_quote(self) -> None:
        if self.quote is None:
            self.quote = self.offset
        self.at += 1
        if self.at < len(self.source) and self.source[self.at] != ">":
            self._step_inside_line()

    def _step_inside_line(self) -> None:
        """Read one character of a quoted line, so that the line no longer counts as beginning."""
        if self.source[self.at] not in RESERVED and not self._escaped():
            self._put(self.source[self.at], 1)

    def _end_quote(self, *, expandable: bool) -> None:
        if self.quote is None:
            return
        kind = "expandable_blockquote" if expandable else "blockquote"
        self.entities.append(MessageEntity(type=kind, offset=self.quote, length=self.offset - self.quote))
        self.quote = None

    def _code(self) -> None:
        begin = self.at
        fence = "```" if self.source.startswith("```", self.at) else "`"
        self.at += len(fence)
        language = self._language() if fence == "```" else None
        start = self.offset
        while not self.source.startswith(fence, self.at):
            if self.at >= len(self.source):
                raise _unparsable(f"Can't find end of {_name(fence)} entity at byte offset {self._bytes(begin)}")
            escaped = self._escaped()
            self._put(self.source[self.at + escaped], 1 + escaped)
        self.at += len(fence)
        kind = "pre" if fence == "```" else "code"
        self.entities.append(MessageEntity(type=kind, offset=start, length=self.offset - start, language=language))

    def _language(self) -> str | None:
        line = self.source[self.at :].partition("\n")[0]
        ends = self.at + len(line)
        if ends >= len(self.source) or "`" in line or any(character.isspace() for character in line):
            return None
        self.at = ends + 1
        return line or None

    def _mark(self) -> None:
        mark = self._mark_here()
        if mark == "||" and self.quote is not None and self._ends_expandable():
            self.at += 2
            self._end_quote(expandable=True)
        elif mark == "]" and self.open and self.open[-1].mark in {"[", "!["}:
            self._link(self.open.pop())
        elif mark in STYLES and self.open and self.open[-1].mark == mark:
            self.at += len(mark)
            self._close(self.open.pop())
        elif mark in STYLES or mark in {"[", "!["}:
            self.open.append(_Open(mark, self.offset, self.at))
            self.at += len(mark)
        else:
            raise _unparsable(f"Character '{mark}' is reserved and must be escaped with the preceding '\\'")

    def _mark_here(self) -> str:
        pair = self.source[self.at : self.at + 2]
        return pair if pair in {"__", "||", "!["} else self.source[self.at]

    def _ends_expandable(self) -> bool:
        unfinished = any(opened.mark == "||" for opened in self.open)
        return not unfinished and self.source[self.at + 2 : self.at + 3] in {"", "\n"}

    def _close(self, opened: _Open) -> None:
        self.entities.append(
            MessageEntity(type=STYLES[opened.mark], offset=opened.offset, length=self.offset - opened.offset)
        )

    def _link(self, opened: _Open) -> None:
        self.at += 1
        covered = "".join(self.text)
        url = self._address(opened) if self.source.startswith("(", self.at) else covered
        entity = MessageEntity(type="text_link", offset=opened.offset, length=self.offset - opened.offset)
        user = url.removeprefix(MENTION)
        if opened.mark == "![":
            self.entities.append(_emoji(entity, url))
        elif url.startswith(MENTION) and user.isdecimal():
            mentioned = User(id=int(user), is_bot=False, first_name="")
            self.entities.append(entity.model_copy(update={"type": "text_mention", "user": mentioned}))
        elif "." in url or ":" in url:
            self.entities.append(entity.model_copy(update={"url": url if ":" in url else f"http://{url}/"}))

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
        return len(self.source[:position].encode("utf-8", "surrogatepass"))


def _emoji(entity: MessageEntity, url: str) -> MessageEntity:
    identifier = url.removeprefix("tg://emoji?id=")
    if identifier == url or not identifier.isdecimal():
        raise _unparsable("Invalid custom emoji URL specified")
    return entity.model_copy(update={"type": "custom_emoji", "custom_emoji_id": identifier})


def _name(mark: str) -> str:
    named = {
        "*": "Bold", "_": "Italic", "__": "Underline", "~": "Strikethrough", "||": "Spoiler",
        "[": "TextUrl", "![": "CustomEmoji", "`": "Code", "```": "PreCode",
    }  # fmt: skip
    return named[mark]


def _unparsable(words: str) -> Refusal:
    return bad_request(f"can't parse entities: {words}")
