"""Splits a transcript into subtitle cues of at most two lines, at sentences, clauses and pauses.

A line has 42 columns, of which a wide character (Chinese, Japanese, Korean) takes two. A cue lasts 1 to 7 seconds where
the times allow it. Cues start and end with their words; without word times that is interpolated by characters.
"""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import accumulate

from engine.scripts import is_unspaced, locate_words
from engine.transcript import Segment

LINE_COLUMNS = 42
MIN_TEXT_COLUMNS = LINE_COLUMNS // 2
MIN_CUE_MS = 1_000
MAX_CUE_MS = 7_000

# The score of a place to split a cue at, in milliseconds of silence there.
MAX_PAUSE = 2_000
SENTENCE_END = 2_000
CLAUSE_END = 1_000
OFF_MIDDLE_PENALTY = 6_000
SHORT_CUE_PENALTY = 3_000
# A line break at a comma is worth so many columns of difference between the lines.
CLAUSE_BREAK_COLUMNS = 12

_SENTENCE = re.compile(r"[.!?…。！？]\W*$")  # noqa: RUF001 - these are the marks themselves
_CLAUSE = re.compile(r"[,;:–—，、；：]\W*$")  # noqa: RUF001 - as above
_NEVER_FIRST = frozenset({"Pe", "Pf", "Po", "Pd", "Lm", "Mn", "Mc", "Me"})
_NEVER_LAST = frozenset({"Ps", "Pi"})
_SMALL_KANA = frozenset("ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ")


@dataclass(frozen=True, slots=True)
class Cue:
    """One or two lines, and when they are shown."""

    start_ms: int
    end_ms: int
    speaker: str | None
    lines: tuple[str, ...]


def make_cues(segments: Iterable[Segment], *, names: bool) -> list[Cue]:
    """Split the segments into cues, in the order of their start; cues of one speaker never overlap.

    With `names` the speaker's name stands before the text, shortened to leave the text half a line.
    """
    by_speaker: dict[str | None, list[Cue]] = {}
    for segment in filter(lambda segment: to_single_line(segment.text), segments):
        layout = _Layout.of(segment, _prefix(to_single_line(segment.speaker or "")) if names else "")
        by_speaker.setdefault(segment.speaker, []).extend(layout.cues(0, len(layout.cuts) - 1))
    in_sequence = [cue for own in by_speaker.values() for cue in _without_overlaps(own)]
    return sorted(in_sequence, key=lambda cue: cue.start_ms)


def to_single_line(text: str) -> str:
    """Join the lines of a text: an empty line would end its cue, and “-->” would be read as a cue's times."""
    printable = "".join(character for character in text if character.isspace() or character >= " ")
    return " ".join(printable.split()).replace("-->", "→")


def _prefix(name: str) -> str:
    """Give the name as it is shown before the text."""
    widths = list(accumulate(map(_columns, name)))
    most = LINE_COLUMNS - MIN_TEXT_COLUMNS - len(": ")
    if widths and widths[-1] > most:
        name = name[: bisect_right(widths, most - len("…"))].rstrip() + "…"
    return f"{name}: " if name else ""


@dataclass(frozen=True, slots=True)
class _Timeline:
    """The time of each character of a text: known at some offsets, interpolated between."""

    offsets: list[int]
    times_ms: list[int]

    @classmethod
    def of(cls, segment: Segment, text: str, letters: list[int]) -> "_Timeline":
        whole = _trim(letters, range(len(text)))
        known = [(whole.start, segment.start)]
        for word, place in zip(segment.words, locate_words(segment.words, text), strict=False):
            trimmed = _trim(letters, place)
            known += [(trimmed.start, word.start), (trimmed.stop, word.end)]
        known.append((whole.stop, segment.end))
        times = accumulate((max(0, round(second * 1000)) for _, second in known), max)
        return cls([offset for offset, _ in known], list(times))

    def start_ms_at(self, offset: int) -> int:
        at = bisect_right(self.offsets, offset) - 1
        return self._between(at, at + 1, offset)

    def end_ms_at(self, offset: int) -> int:
        at = bisect_left(self.offsets, offset)
        return self._between(at - 1, at, offset)

    def _between(self, before: int, after: int, offset: int) -> int:
        if before < 0 or after == len(self.offsets):
            return self.times_ms[max(0, before)]
        start, end = self.offsets[before], self.offsets[after]
        passed_ms = self.times_ms[after] - self.times_ms[before]
        return self.times_ms[before] + round(passed_ms * (offset - start) / (end - start))


@dataclass(frozen=True, slots=True)
class _Layout:
    """The text of a segment, where it may be split, and the prefix of each of its cues."""

    text: str
    prefix: str
    speaker: str | None
    columns: list[int]
    cuts: list[int]
    letters: list[int]
    timeline: _Timeline

    @classmethod
    def of(cls, segment: Segment, prefix: str) -> "_Layout":
        text = to_single_line(segment.text)
        columns = list(accumulate(map(_columns, text), initial=0))
        room = LINE_COLUMNS - sum(map(_columns, prefix))
        cuts = list(_cuts(text, columns, room))
        letters = [offset for offset, character in enumerate(text) if character.isalnum()]
        return cls(text, prefix, segment.speaker, columns, cuts, letters, _Timeline.of(segment, text, letters))

    def cues(self, first: int, last: int) -> Iterator[Cue]:
        """Split the text between two of the places in two, recursively, until each part fits into a cue."""
        lines = self._lines(first, last)
        start_ms, end_ms = self._times_ms(first, last)
        if last - first == 1 or (lines and end_ms - start_ms <= MAX_CUE_MS):
            shown = lines or (self._line(first, last),)
            yield Cue(start_ms, min(end_ms, start_ms + MAX_CUE_MS), self.speaker, shown)
        elif last > first:
            middle = max(range(first + 1, last), key=lambda at: self._score(first, at, last))
            yield from self.cues(first, middle)
            yield from self.cues(middle, last)

    def _score(self, first: int, at: int, last: int) -> float:
        """Rate a place to split at: after a sentence, in a pause, near the middle."""
        start_ms, end_ms = self._times_ms(first, at)
        next_ms, last_ms = self._times_ms(at, last)
        off = abs(self._width(first, at) / max(1, self._width(first, last)) - 0.5)
        too_short = min(end_ms - start_ms, last_ms - next_ms) < MIN_CUE_MS
        pause = min(max(0, next_ms - end_ms), MAX_PAUSE)
        return pause + self._boundary_score(at) - OFF_MIDDLE_PENALTY * off - SHORT_CUE_PENALTY * too_short

    def _boundary_score(self, at: int) -> int:
        before = self.text[max(0, self.cuts[at] - 4) : self.cuts[at]]
        return SENTENCE_END if _SENTENCE.search(before) else CLAUSE_END if _CLAUSE.search(before) else 0

    def _lines(self, first: int, last: int) -> tuple[str, ...]:
        """Give one line, or the best two; none where two are not enough."""
        before = sum(map(_columns, self.prefix))
        if before + self._width(first, last) <= LINE_COLUMNS:
            return (self._line(first, last),)
        fitting = [
            at
            for at in range(first + 1, last)
            if max(before + self._width(first, at), self._width(at, last)) <= LINE_COLUMNS
        ]
        if not fitting:
            return ()
        best = min(fitting, key=lambda at: self._unevenness(before, first, at, last))
        return self._line(first, best), self._line(best, last, prefix="")

    def _unevenness(self, before: int, first: int, at: int, last: int) -> int:
        return abs(before + self._width(first, at) - self._width(at, last)) - CLAUSE_BREAK_COLUMNS * bool(
            self._boundary_score(at)
        )

    def _line(self, first: int, last: int, prefix: str | None = None) -> str:
        text = self.text[self.cuts[first] : self.cuts[last]].strip()
        return (self.prefix if prefix is None else prefix) + text

    def _width(self, first: int, last: int) -> int:
        start, stop = self.cuts[first], self.cuts[last]
        return self.columns[stop] - self.columns[start] - self.text.startswith(" ", start, stop)

    def _times_ms(self, first: int, last: int) -> tuple[int, int]:
        trimmed = _trim(self.letters, range(self.cuts[first], self.cuts[last]))
        start_ms = self.timeline.start_ms_at(trimmed.start)
        return start_ms, max(start_ms, self.timeline.end_ms_at(trimmed.stop))


def _cuts(text: str, columns: list[int], room: int) -> Iterator[int]:
    """Give the offsets where a line may end: at spaces, between wide characters, and in words longer than a line."""
    yield 0
    last = 0
    for at in range(1, len(text)):
        too_long = columns[at + 1] - columns[last] > room and not unicodedata.category(text[at]).startswith("M")
        if text[at] == " " or _is_breakable(text[at - 1], text[at]) or too_long:
            yield at
            last = at
    if text:
        yield len(text)


def _is_breakable(before: str, after: str) -> bool:
    if before == " " or not (is_unspaced(before) or is_unspaced(after)) or after in _SMALL_KANA:
        return False
    return unicodedata.category(after) not in _NEVER_FIRST and unicodedata.category(before) not in _NEVER_LAST


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def _trim(letters: list[int], place: range) -> range:
    """Leave out the marks and spaces around the letters of a place, if it has any."""
    first, behind = bisect_left(letters, place.start), bisect_left(letters, place.stop)
    return range(letters[first], letters[behind - 1] + 1) if first < behind else place


def _without_overlaps(cues: list[Cue]) -> Iterator[Cue]:
    """Let each cue of a speaker end before the next starts, and lengthen short ones where there is room."""
    cues = sorted(cues, key=lambda cue: cue.start_ms)
    free_ms = 0
    for cue, following in zip(cues, [*cues[1:], None], strict=True):
        start_ms = max(cue.start_ms, free_ms)
        free_ms = max(cue.end_ms, start_ms + MIN_CUE_MS)
        if following:
            free_ms = min(free_ms, max(following.start_ms, start_ms + 1))
        yield replace(cue, start_ms=start_ms, end_ms=free_ms)
