"""Cuts a transcript into subtitles as people read them: at most two lines at once, each no longer than a breath.

A line has 42 columns, of which a wide character (Chinese, Japanese, Korean) takes two. A cue lasts 1 to 7 seconds where
the times allow it. The words' times tell when a cue begins and ends; without them that is reckoned by characters.
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
LEAST_ROOM = LINE_COLUMNS // 2
SHORTEST_MS = 1_000
LONGEST_MS = 7_000

# How well a cue ends at a place, in milliseconds of silence there.
LONGEST_PAUSE = 2_000
SENTENCE_END = 2_000
CLAUSE_END = 1_000
FAR_FROM_THE_MIDDLE = 6_000
TOO_SHORT = 3_000
# How well a line ends at a comma, in columns by which the other may be longer.
SENSIBLE = 12

_SENTENCE = re.compile(r"[.!?…。！？]\W*$")  # noqa: RUF001 - these are the marks themselves
_CLAUSE = re.compile(r"[,;:–—，、；：]\W*$")  # noqa: RUF001 - as above
_NEVER_FIRST = frozenset({"Pe", "Pf", "Po", "Pd", "Lm", "Mn", "Mc", "Me"})
_NEVER_LAST = frozenset({"Ps", "Pi"})
_SMALL_KANA = frozenset("ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ")


@dataclass(frozen=True, slots=True)
class Cue:
    """One or two lines, and when they are to be seen."""

    start_ms: int
    end_ms: int
    speaker: str | None
    lines: tuple[str, ...]


def make_cues(segments: Iterable[Segment], *, names: bool) -> list[Cue]:
    """Cut the segments into cues, in the order of their start; none overlaps another of the same speaker.

    With `names` the speaker's name stands before the text, cut short where it would leave less than half a line.
    """
    cut: dict[str | None, list[Cue]] = {}
    for segment in filter(lambda segment: to_single_line(segment.text), segments):
        layout = _Layout.of(segment, _prefix(to_single_line(segment.speaker or "")) if names else "")
        cut.setdefault(segment.speaker, []).extend(layout.cues(0, len(layout.cuts) - 1))
    found = [cue for spoken in cut.values() for cue in _one_after_another(spoken)]
    return sorted(found, key=lambda cue: cue.start_ms)


def to_single_line(text: str) -> str:
    """Keep a text in one line: an empty line would end its cue. An arrow would be read as a cue's times."""
    printable = "".join(character for character in text if character.isspace() or character >= " ")
    return " ".join(printable.split()).replace("-->", "→")


def _prefix(name: str) -> str:
    """Write the name as it stands before the text."""
    reached = list(accumulate(map(_columns, name)))
    most = LINE_COLUMNS - LEAST_ROOM - len(": ")
    if reached and reached[-1] > most:
        name = name[: bisect_right(reached, most - len("…"))].rstrip() + "…"
    return f"{name}: " if name else ""


@dataclass(frozen=True, slots=True)
class _Clock:
    """When each place of a text is said: known at some of them, and reckoned between."""

    offsets: list[int]
    times_ms: list[int]

    @classmethod
    def of(cls, segment: Segment, text: str, spoken: list[int]) -> "_Clock":
        whole = _said(spoken, range(len(text)))
        known = [(whole.start, segment.start)]
        for word, place in zip(segment.words, locate_words(segment.words, text), strict=False):
            said = _said(spoken, place)
            known += [(said.start, word.start), (said.stop, word.end)]
        known.append((whole.stop, segment.end))
        times = accumulate((max(0, round(second * 1000)) for _, second in known), max)
        return cls([offset for offset, _ in known], list(times))

    def begin_ms(self, offset: int) -> int:
        at = bisect_right(self.offsets, offset) - 1
        return self._between(at, at + 1, offset)

    def end_ms(self, offset: int) -> int:
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
    """The text of a segment, where it may be cut, and what stands before each of its cues."""

    text: str
    prefix: str
    speaker: str | None
    columns: list[int]
    cuts: list[int]
    spoken: list[int]
    clock: _Clock

    @classmethod
    def of(cls, segment: Segment, prefix: str) -> "_Layout":
        text = to_single_line(segment.text)
        columns = list(accumulate(map(_columns, text), initial=0))
        room = LINE_COLUMNS - sum(map(_columns, prefix))
        cuts = list(_cuts(text, columns, room))
        spoken = [offset for offset, character in enumerate(text) if character.isalnum()]
        return cls(text, prefix, segment.speaker, columns, cuts, spoken, _Clock.of(segment, text, spoken))

    def cues(self, first: int, last: int) -> Iterator[Cue]:
        """Cut what lies between two of the places in two, again and again, until each part can be read."""
        lines = self._lines(first, last)
        start_ms, end_ms = self._times_ms(first, last)
        if last - first == 1 or (lines and end_ms - start_ms <= LONGEST_MS):
            shown = lines or (self._line(first, last),)
            yield Cue(start_ms, min(end_ms, start_ms + LONGEST_MS), self.speaker, shown)
        elif last > first:
            middle = max(range(first + 1, last), key=lambda at: self._fitness(first, at, last))
            yield from self.cues(first, middle)
            yield from self.cues(middle, last)

    def _fitness(self, first: int, at: int, last: int) -> float:
        """Tell how good it is to end a cue there: after a sentence, in a pause, near the middle."""
        start_ms, end_ms = self._times_ms(first, at)
        next_ms, last_ms = self._times_ms(at, last)
        off = abs(self._width(first, at) / max(1, self._width(first, last)) - 0.5)
        too_short = min(end_ms - start_ms, last_ms - next_ms) < SHORTEST_MS
        pause = min(max(0, next_ms - end_ms), LONGEST_PAUSE)
        return pause + self._sense(at) - FAR_FROM_THE_MIDDLE * off - TOO_SHORT * too_short

    def _sense(self, at: int) -> int:
        before = self.text[max(0, self.cuts[at] - 4) : self.cuts[at]]
        return SENTENCE_END if _SENTENCE.search(before) else CLAUSE_END if _CLAUSE.search(before) else 0

    def _lines(self, first: int, last: int) -> tuple[str, ...]:
        """Give one line, or the two that are best; none where there is not enough room."""
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
        return abs(before + self._width(first, at) - self._width(at, last)) - SENSIBLE * bool(self._sense(at))

    def _line(self, first: int, last: int, prefix: str | None = None) -> str:
        text = self.text[self.cuts[first] : self.cuts[last]].strip()
        return (self.prefix if prefix is None else prefix) + text

    def _width(self, first: int, last: int) -> int:
        start, stop = self.cuts[first], self.cuts[last]
        return self.columns[stop] - self.columns[start] - self.text.startswith(" ", start, stop)

    def _times_ms(self, first: int, last: int) -> tuple[int, int]:
        said = _said(self.spoken, range(self.cuts[first], self.cuts[last]))
        start_ms = self.clock.begin_ms(said.start)
        return start_ms, max(start_ms, self.clock.end_ms(said.stop))


def _cuts(text: str, columns: list[int], room: int) -> Iterator[int]:
    """Find where a line may end: before spaces, between wide characters, and in what is longer than a line."""
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


def _said(spoken: list[int], place: range) -> range:
    """Leave out the marks and spaces around what is said at a place, if anything is."""
    first, behind = bisect_left(spoken, place.start), bisect_left(spoken, place.stop)
    return range(spoken[first], spoken[behind - 1] + 1) if first < behind else place


def _one_after_another(spoken: list[Cue]) -> Iterator[Cue]:
    """Let each cue of a speaker end before the next begins, and a short one stay as long as there is room."""
    spoken = sorted(spoken, key=lambda cue: cue.start_ms)
    free_ms = 0
    for cue, following in zip(spoken, [*spoken[1:], None], strict=True):
        start_ms = max(cue.start_ms, free_ms)
        free_ms = max(cue.end_ms, start_ms + SHORTEST_MS)
        if following:
            free_ms = min(free_ms, max(following.start_ms, start_ms + 1))
        yield replace(cue, start_ms=start_ms, end_ms=free_ms)
