"""Corrects a text where it sounds like a hotword, for models that take no hotwords. Knows no model.

Cautious: common words stay, even where they sound the same, and so do parts of words. A hotword so short that one
phoneme makes another name of it must have the same vowels.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from engine.scripts import LATIN, locate_words
from engine.text.lexicon import LONGEST, is_common_chinese_word, is_common_word
from engine.text.phonetics import (
    NEAR_COST,
    Pinyin,
    merge_similar_syllables,
    min_distance_by_start,
    phonetic_distance,
    spelled_vowels,
    to_phonemes,
    to_pinyin,
)
from engine.transcript import Correction, Word

MIN_PHONEMES = 4
EXTRA_WORDS = 2
ALLOWED_DISTANCE = 0.06
MIN_TONELESS_SYLLABLES = 3

_WORD = re.compile(rf"(?<![{LATIN}0-9_.@/\\])[{LATIN}]+(?![{LATIN}0-9_@/\\]|\.\w)")
_CHINESE = re.compile(r"[\u4e00-\u9fff]+")  # those of which pypinyin knows each one's syllable
_SPACE = re.compile(r"[ -]")
_TWICE = re.compile(r"(.)\1+")


class CorrectedText(NamedTuple):
    """A corrected text, its words if they still spell it, and what was changed."""

    text: str
    words: tuple[Word, ...]
    corrections: tuple[Correction, ...]


class _Match(NamedTuple):
    """Where a text sounds like a hotword, and its phonetic distance from it."""

    distance: float
    start: int
    end: int
    written: str


class _Hotword(NamedTuple):
    """A hotword, its place in the list, and its phonemes."""

    number: int
    written: str
    phonemes: str


_ByStart = dict[tuple[int, str], list[_Hotword]]  # by number of phonemes, and the first one


def correct_hotwords(text: str, words: tuple[Word, ...], hotwords: tuple[str, ...]) -> CorrectedText:
    """Write each hotword where the text sounds like it."""
    changes = [match for match in _matches(text, hotwords) if text[match.start : match.end] != match.written]
    corrections = tuple(Correction(heard=text[match.start : match.end], written=match.written) for match in changes)
    places = locate_words(words, text)
    for change in reversed(changes):
        words = _change_words(words, places, text, change) if places else ()
        text = text[: change.start] + change.written + text[change.end :]
    return CorrectedText(text, words if locate_words(words, text) else (), corrections)


def _change_words(words: tuple[Word, ...], places: tuple[range, ...], text: str, change: _Match) -> tuple[Word, ...]:
    """Make one word of all that the change touches, but characters for as many other characters."""
    touched = [number for number, place in enumerate(places) if place.start < change.end and place.stop > change.start]
    first, end = touched[0], touched[-1] + 1
    before, after = text[places[first].start : change.start], text[change.end : places[end - 1].stop]
    old = words[first:end]
    new = [before + change.written + after]
    if len(old) == len(change.written) and not before + after:
        new = list(change.written)
    starts, ends = [word.start for word in old], [word.end for word in old]
    if len(new) == 1:
        starts, ends = starts[:1], ends[-1:]
    changed = (Word(start=s, end=e, text=spelled) for s, e, spelled in zip(starts, ends, new, strict=True))
    return (*words[:first], *changed, *words[end:])


def _matches(text: str, hotwords: tuple[str, ...]) -> list[_Match]:
    """Choose the best of all that overlap, in order of the text; hotwords that are written already are among them."""
    found = (*_exact_matches(text, hotwords), *_latin_matches(text, hotwords), *_chinese_matches(text, hotwords))
    chosen: list[_Match] = []
    for match in sorted(found, key=lambda match: (match.distance, match.start - match.end)):
        if all(match.end <= other.start or match.start >= other.end for other in chosen):
            chosen.append(match)
    return sorted(chosen, key=lambda match: match.start)


def _exact_matches(text: str, hotwords: Iterable[str]) -> Iterator[_Match]:
    for written in (written for written in hotwords if written in text):
        for found in re.finditer(re.escape(written), text):
            yield _Match(-1, found.start(), found.end(), written)


def _latin_matches(text: str, hotwords: tuple[str, ...]) -> Iterator[_Match]:
    by_start = _latin_hotwords(hotwords)
    longest = max((len(_SPACE.split(one.written)) for group in by_start.values() for one in group), default=0)
    words = list(_WORD.finditer(text))
    for first in range(len(words) if by_start else 0):
        for last in range(first, min(first + longest + EXTRA_WORDS, len(words))):
            stretch = words[first : last + 1]
            if any(not _SPACE.fullmatch(text[one.end() : other.start()]) for one, other in pairwise(stretch)):
                break
            heard = [word.group().lower() for word in stretch]
            if not all(is_common_word(word) for word in heard):
                yield from _near_matches(text, stretch[0].start(), stretch[-1].end(), _phonemes(heard), by_start)


def _near_matches(text: str, start: int, end: int, phonemes: str, by_start: _ByStart) -> Iterator[_Match]:
    heard = text[start:end].lower()
    for _, written, wanted in sorted(_candidates(phonemes, by_start)):
        allowed = ALLOWED_DISTANCE * len(wanted)
        if written.islower() and heard == written:
            continue
        if allowed < NEAR_COST and spelled_vowels(heard) != spelled_vowels(written):
            continue
        distance = phonetic_distance(phonemes, wanted, allowed)
        if distance <= allowed:
            yield _Match(distance, start, end, written)


def _candidates(phonemes: str, by_start: _ByStart) -> Iterator[_Hotword]:
    """Give the hotwords that are neither much longer nor shorter, and do not start too differently."""
    for (length, first), hotwords in by_start.items():
        allowed = ALLOWED_DISTANCE * length
        if abs(len(phonemes) - length) <= 1 + allowed and min_distance_by_start(phonemes[0], first) <= allowed:
            yield from hotwords


@lru_cache(maxsize=8)
def _latin_hotwords(hotwords: tuple[str, ...]) -> _ByStart:
    """Group the hotwords that are Latin words with at least MIN_PHONEMES."""
    by_start: _ByStart = {}
    for number, written in enumerate(dict.fromkeys(filter(_is_latin, hotwords))):
        phonemes = _phonemes(_SPACE.split(written))
        if len(phonemes) >= MIN_PHONEMES:
            by_start.setdefault((len(phonemes), phonemes[0]), []).append(_Hotword(number, written, phonemes))
    return by_start


def _is_latin(written: str) -> bool:
    return all(to_phonemes(word) for word in _SPACE.split(written))


def _phonemes(words: Iterable[str]) -> str:
    return _TWICE.sub(r"\1", "".join(map(to_phonemes, words)))


def _chinese_matches(text: str, hotwords: tuple[str, ...]) -> Iterator[_Match]:
    by_pinyin = _chinese_hotwords(hotwords)
    lengths = {len(pinyin) for pinyin in by_pinyin}
    for run in _CHINESE.finditer(text) if by_pinyin else ():
        pinyin = to_pinyin(run.group())
        for length in lengths:
            for start in range(len(pinyin) - length + 1):
                written = by_pinyin.get(_key(pinyin[start : start + length]))
                if written and _has_no_other_word(run.group(), start, start + length, written):
                    yield _Match(0, run.start() + start, run.start() + start + length, written)


@lru_cache(maxsize=8)
def _chinese_hotwords(hotwords: tuple[str, ...]) -> dict[Pinyin, str]:
    chinese = [written for written in hotwords if _CHINESE.fullmatch(written) and len(written) > 1]
    return {_key(to_pinyin(written)): written for written in chinese}


def _key(pinyin: Pinyin) -> Pinyin:
    """Two syllables have to be the same with their tones: without, too many words sound like them."""
    return merge_similar_syllables(pinyin) if len(pinyin) >= MIN_TONELESS_SYLLABLES else pinyin


def _has_no_other_word(run: str, start: int, end: int, written: str) -> bool:
    """Tell whether no common word is among the characters or overlaps their ends, but for the hotword's own."""
    for length in range(2, LONGEST + 1):
        for at in range(max(0, start - length + 1), min(end, len(run) - length + 1)):
            is_own = start <= at and at + length <= end and run[at : at + length] == written[at - start :][:length]
            if not is_own and is_common_chinese_word(run[at : at + length]):
                return False
    return True
