"""Lays a transcript out as Telegram HTML and splits it into messages. Knows nothing of sending.

Telegram counts UTF-16 units and trims white space, so every piece begins and ends with a visible character.

A longer recording is laid out in paragraphs that begin with their time. In a reply to a recording, Telegram's apps turn
a time such as `0:42` into a link that plays from there, where it is plain text (TDLib's `find_media_timestamps`).
"""

import html
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from engine import Segment, Transcript, join_texts

MESSAGE_UNITS = 4096
MOST_MESSAGES = 4
BEGINNING_UNITS = 1000
TIMED_FROM_S = 60.0
PARAGRAPH_S = 30.0

# Where a piece may end, the best first: the offset behind the match is the place.
_BREAKS = (
    re.compile(r"\n\n\s*"),
    re.compile(r"[.!?…]+[\"'”’»)\]]*\s+|[。！？]+[”’」』）]*\s*"),  # noqa: RUF001 - these are the marks themselves
    re.compile(r"[,;:–—]+\s+|[，；：、]+\s*"),  # noqa: RUF001 - these are the marks themselves
)
_TAG = re.compile(r"</?[bi]>")
_SPACE = re.compile(r"\s+")
_JOINER = "\u200d"
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_FLAG_LETTERS = range(0x1F1E6, 0x1F200)


@dataclass(frozen=True, slots=True)
class Reply:
    """A transcript as messages (HTML); with a document, they are only its beginning."""

    messages: tuple[str, ...]
    needs_document: bool = False


@dataclass(frozen=True, slots=True)
class _Layout:
    """Plain text, and the ranges of it that are bold or italic, with their HTML tags."""

    text: str
    marks: tuple[tuple[range, str], ...] = ()


def render_reply(transcript: Transcript, label: Callable[[Segment], str], notice: str, warning: str = "") -> Reply:
    """Lay `transcript` out as messages.

    Args:
        transcript: with some text.
        label: names who speaks in a segment; "" for nobody in particular.
        notice: stands below the beginning when the whole text comes as a document.
        warning: stands below all; "" where there is nothing to warn of.
    """
    layout = _with_warning(_lay_out(transcript, label), warning)
    pieces = split(layout.text, MESSAGE_UNITS)
    if len(pieces) <= MOST_MESSAGES:
        return Reply(tuple(_as_html(layout, piece) for piece in pieces))
    beginning = _as_html(layout, split(layout.text, BEGINNING_UNITS)[0])
    below = f"{notice} {warning}".strip()
    return Reply((f"{beginning} …\n\n<i>{_escaped(below)}</i>",), needs_document=True)


def plain_text(transcript: Transcript, label: Callable[[Segment], str]) -> str:
    """Return the whole transcript as plain text, for a document."""
    return _lay_out(transcript, label).text + "\n"


def without_markup(message: str) -> str:
    """Return the plain text of a message that was laid out as HTML."""
    return html.unescape(_TAG.sub("", message))


def clock_text(seconds: float) -> str:
    """Return a place in a recording as `M:SS`, from an hour on as `H:MM:SS`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def has_text(transcript: Transcript) -> bool:
    """Tell whether a transcript has any text."""
    return any(segment.text.strip() for segment in transcript.segments)


def split(text: str, limit: int) -> list[range]:
    """Split `text` into ranges of at most `limit` UTF-16 units, at sentence ends where there are any.

    Only white space lies between two pieces. A piece is never empty.
    """
    pieces = []
    start = _skip_space(text, 0)
    while start < len(text):
        most = _reach(text, start, limit)
        end = most if most == len(text) else _break(text, start, most)
        shown = start + len(text[start:end].rstrip())
        pieces.append(range(start, shown))
        start = _skip_space(text, end)
    return pieces


def _lay_out(transcript: Transcript, label: Callable[[Segment], str]) -> _Layout:
    spoken = [segment for segment in transcript.segments if segment.text.strip()]
    turns = [(name, list(turn)) for name, turn in groupby(spoken, key=label)]
    is_timed = transcript.duration >= TIMED_FROM_S
    if len({name for name, _ in turns}) < 2:  # noqa: PLR2004 - one voice needs no label
        return _Layout(_paragraphs(spoken) if is_timed else _text(spoken))
    text, marks = "", []
    for name, said in turns:
        text += "\n\n" if text else ""
        marks.append((range(len(text), len(text) + len(name)), "b"))
        text += f"{name} {clock_text(said[0].start)}\n{_text(said)}" if is_timed else f"{name}\n{_text(said)}"
    return _Layout(text, tuple(marks))


def _paragraphs(segments: Sequence[Segment]) -> str:
    """Return the text in paragraphs of at least `PARAGRAPH_S`, each behind the time at which it begins."""
    paragraphs: list[list[Segment]] = []
    for segment in segments:
        if not paragraphs or segment.start - paragraphs[-1][0].start >= PARAGRAPH_S:
            paragraphs.append([])
        paragraphs[-1].append(segment)
    return "\n\n".join(f"{clock_text(said[0].start)} {_text(said)}" for said in paragraphs)


def _with_warning(layout: _Layout, warning: str) -> _Layout:
    if not warning:
        return layout
    text = f"{layout.text}\n\n{warning}"
    return _Layout(text, (*layout.marks, (range(len(text) - len(warning), len(text)), "i")))


def _text(segments: Sequence[Segment]) -> str:
    return join_texts([" ".join(segment.text.split()) for segment in segments])


def _as_html(layout: _Layout, piece: range) -> str:
    written, at = "", piece.start
    for mark, tag in layout.marks:
        start, end = max(mark.start, piece.start), min(mark.stop, piece.stop)
        if start < end:
            written += _escaped(layout.text[at:start]) + f"<{tag}>{_escaped(layout.text[start:end])}</{tag}>"
            at = end
    return written + _escaped(layout.text[at : piece.stop])


def _escaped(text: str) -> str:
    return html.escape(text, quote=False)


def _reach(text: str, start: int, limit: int) -> int:
    """Return the furthest end from `start` that stays within `limit` UTF-16 units."""
    units = text[start : start + limit].encode("utf-16-le", "replace")[: 2 * limit]
    whole_characters = units.decode("utf-16-le", "ignore")
    return start + max(len(whole_characters), 1)


def _break(text: str, start: int, most: int) -> int:
    """Return the best end of a piece that may reach to `most`: after a paragraph, a sentence, a clause or a word."""
    least = start + (most - start) // 2
    for mark in _BREAKS:
        ends = [match.end() for match in mark.finditer(text, least, most)]
        if ends:
            return ends[-1]
    if text[most].isspace():
        return most
    words = [match.end() for match in _SPACE.finditer(text, start, most)]
    return words[-1] if words else _between_graphemes(text, start, most)


def _between_graphemes(text: str, start: int, most: int) -> int:
    for end in range(most, start, -1):
        if not _belongs_together(text, end):
            return end
    return most


def _belongs_together(text: str, position: int) -> bool:
    """Tell whether the characters before and at `position` belong to one grapheme."""
    before, after = text[position - 1], text[position]
    if _JOINER in {before, after} or unicodedata.category(after).startswith("M"):
        return True
    return ord(after) in _SKIN_TONES or (ord(before) in _FLAG_LETTERS and ord(after) in _FLAG_LETTERS)


def _skip_space(text: str, position: int) -> int:
    return len(text) - len(text[position:].lstrip())
