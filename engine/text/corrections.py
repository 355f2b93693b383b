"""Puts hotwords where a text only sounds like them, for models that cannot favour any. Knows no model.

Careful before all: what people commonly say stays, even where it sounds the same, and so does any part of a word. What
is so short that one sound makes another name of it, may be spelt otherwise, but with the same vowels.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from engine.scripts import locate_words
from engine.text.lexicon import LONGEST, is_common_chinese_word, is_common_word
from engine.text.phonetics import (
    NEAR,
    distance,
    least_distance,
    merge_similar_syllables,
    sound,
    spelt_vowels,
    syllables,
)
from engine.transcript import Correction, Word

SHORTEST_SOUND = 4
WORDS_MORE = 2
ALLOWED_DISTANCE = 0.06
FEWEST_BLURRED = 3

_LATIN = r"A-Za-z\u00c0-\u024f"
_WORD = re.compile(rf"(?<![{_LATIN}0-9_.@/\\])[{_LATIN}]+(?![{_LATIN}0-9_@/\\]|\.\w)")
_CHINESE = re.compile(r"[\u4e00-\u9fff]+")
_SPACE = re.compile(r"[ -]")
_TWICE = re.compile(r"(.)\1+")


class CorrectedText(NamedTuple):
    """A text with hotwords in it, its words as far as they still spell it, and what was changed."""

    text: str
    words: tuple[Word, ...]
    corrections: tuple[Correction, ...]


class _Match(NamedTuple):
    """Where a text sounds like a hotword; less `distance` is better."""

    distance: float
    start: int
    end: int
    written: str


class _Wanted(NamedTuple):
    """A hotword, its place in their order, and its sound."""

    number: int
    written: str
    sound: str


_Sounds = dict[tuple[int, str], list[_Wanted]]


def correct_hotwords(text: str, words: tuple[Word, ...], hotwords: tuple[str, ...]) -> CorrectedText:
    """Write each hotword where the text sounds like it."""
    changes = [match for match in _matches(text, hotwords) if text[match.start : match.end] != match.written]
    corrections = tuple(Correction(heard=text[match.start : match.end], written=match.written) for match in changes)
    where = locate_words(words, text)
    for change in reversed(changes):
        words = _rewritten(words, where, text, change) if where else ()
        text = text[: change.start] + change.written + text[change.end :]
    return CorrectedText(text, words if locate_words(words, text) else (), corrections)


def _rewritten(words: tuple[Word, ...], where: tuple[range, ...], text: str, change: _Match) -> tuple[Word, ...]:
    """Make one word of all that the change touches, but for as many characters in place of others."""
    touched = [number for number, place in enumerate(where) if place.start < change.end and place.stop > change.start]
    first, end = touched[0], touched[-1] + 1
    before, after = text[where[first].start : change.start], text[change.end : where[end - 1].stop]
    old = words[first:end]
    new = [before + change.written + after]
    if len(old) == len(change.written) and not before + after:
        new = list(change.written)
    starts, ends = [word.start for word in old], [word.end for word in old]
    if len(new) == 1:
        starts, ends = starts[:1], ends[-1:]
    rewritten = (Word(start=s, end=e, text=spelt) for s, e, spelt in zip(starts, ends, new, strict=True))
    return (*words[:first], *rewritten, *words[end:])


def _matches(text: str, hotwords: tuple[str, ...]) -> list[_Match]:
    """Choose the best of all that overlap, in order; hotwords that are there already are among them."""
    found = (*_written(text, hotwords), *_latin(text, hotwords), *_chinese(text, hotwords))
    chosen: list[_Match] = []
    for match in sorted(found, key=lambda match: (match.distance, match.start - match.end)):
        if all(match.end <= other.start or match.start >= other.end for other in chosen):
            chosen.append(match)
    return sorted(chosen, key=lambda match: match.start)


def _written(text: str, hotwords: Iterable[str]) -> Iterator[_Match]:
    for written in (written for written in hotwords if written in text):
        for found in re.finditer(re.escape(written), text):
            yield _Match(-1, found.start(), found.end(), written)


def _latin(text: str, hotwords: tuple[str, ...]) -> Iterator[_Match]:
    sounds = _sounds(hotwords)
    most = max((len(_SPACE.split(one.written)) for alike in sounds.values() for one in alike), default=0) + WORDS_MORE
    words = list(_WORD.finditer(text))
    for first in range(len(words) if sounds else 0):
        for last in range(first, min(first + most, len(words))):
            stretch = words[first : last + 1]
            if any(not _SPACE.fullmatch(text[one.end() : other.start()]) for one, other in pairwise(stretch)):
                break
            said = [word.group().lower() for word in stretch]
            if not all(is_common_word(word) for word in said):
                yield from _alike(text, stretch[0].start(), stretch[-1].end(), _sound(said), sounds)


def _alike(text: str, start: int, end: int, heard: str, sounds: _Sounds) -> Iterator[_Match]:
    said = text[start:end].lower()
    for _, written, wanted in sorted(_near(heard, sounds)):
        allowed = ALLOWED_DISTANCE * len(wanted)
        if written.islower() and said == written:
            continue
        if allowed < NEAR and spelt_vowels(said) != spelt_vowels(written):
            continue
        apart = distance(heard, wanted, allowed)
        if apart <= allowed:
            yield _Match(apart, start, end, written)


def _near(heard: str, sounds: _Sounds) -> Iterator[_Wanted]:
    """Give what is neither much longer or shorter, nor begins too differently."""
    for (length, first), wanted in sounds.items():
        allowed = ALLOWED_DISTANCE * length
        if abs(len(heard) - length) <= 1 + allowed and least_distance(heard[0], first) <= allowed:
            yield from wanted


@lru_cache(maxsize=8)
def _sounds(hotwords: tuple[str, ...]) -> _Sounds:
    """Give those hotwords that are Latin words, and long enough to be told from others, by length and first sound."""
    sounds: _Sounds = {}
    for number, written in enumerate(dict.fromkeys(filter(_is_latin, hotwords))):
        said = _sound(_SPACE.split(written))
        if len(said) >= SHORTEST_SOUND:
            sounds.setdefault((len(said), said[0]), []).append(_Wanted(number, written, said))
    return sounds


def _is_latin(written: str) -> bool:
    return all(sound(word) for word in _SPACE.split(written))


def _sound(words: Iterable[str]) -> str:
    return _TWICE.sub(r"\1", "".join(map(sound, words)))


def _chinese(text: str, hotwords: tuple[str, ...]) -> Iterator[_Match]:
    wanted = _syllables(hotwords)
    lengths = {len(said) for said in wanted}
    for run in _CHINESE.finditer(text) if wanted else ():
        said = syllables(run.group())
        for length in lengths:
            for start in range(len(said) - length + 1):
                written = wanted.get(_key(said[start : start + length]))
                if written and _makes_no_sense(run.group(), start, start + length, written):
                    yield _Match(0, run.start() + start, run.start() + start + length, written)


@lru_cache(maxsize=8)
def _syllables(hotwords: tuple[str, ...]) -> dict[tuple[str, ...], str]:
    chinese = [written for written in hotwords if _CHINESE.fullmatch(written) and len(written) > 1]
    return {_key(syllables(written)): written for written in chinese}


def _key(said: tuple[str, ...]) -> tuple[str, ...]:
    """Two syllables have to be the same with their tones: too many words sound like them otherwise."""
    return merge_similar_syllables(said) if len(said) >= FEWEST_BLURRED else said


def _makes_no_sense(run: str, start: int, end: int, written: str) -> bool:
    """Tell whether no common word is among the characters or goes on beyond them, but for the hotword's own."""
    for length in range(2, LONGEST + 1):
        for at in range(max(0, start - length + 1), min(end, len(run) - length + 1)):
            is_meant = start <= at and at + length <= end and run[at : at + length] == written[at - start :][:length]
            if not is_meant and is_common_chinese_word(run[at : at + length]):
                return False
    return True
