"""Phonetics: phonemes of Latin words, pinyin of Chinese characters, and the distance between two words. Pure."""

import re
import unicodedata
from functools import lru_cache
from itertools import accumulate
from math import inf

Pinyin = tuple[str, ...]

NEAR_COST, VOWEL_COST, WEAK_COST = 0.4, 0.45, 0.4
_VOWELS = "aiu"
_WEAK = _VOWELS + "h"
_ALIKE = frozenset(
    frozenset(pair) for pair in ("bp", "dt", "gk", "fv", "mn", "jC", "CS", "jS", "sS", "Td", "Tt", "Ts", "gj", "bv")
)

# English spelling to phonemes, in this order: S as in she, C as in church, T as in thing.
_RULES = tuple(
    (re.compile(pattern), phonemes)
    for pattern, phonemes in (
        (r"^(?:kn|gn|pn)", "n"),
        (r"^wr", "r"),
        (r"^(?:x|ps)", "s"),
        (r"sch|sh|ti(?=o|a)|ci(?=o|a)", "S"),
        (r"tch|ch", "C"),
        (r"ph", "f"),
        (r"th", "T"),
        (r"ght|gh$", "t"),
        (r"gh", "g"),
        (r"dge?(?=$|i)", "j"),
        (r"ck|q(?=u)", "k"),
        (r"c(?=[eiy])|z", "s"),
        (r"[cq]", "k"),
        (r"x", "ks"),
        (r"(?<=[aeiou])[wy](?![aeiou])|(?<=[bcdfgklmnprstvSCT])e$", ""),
        (r"y(?=[aeiou])", "j"),
        (r"a[iy]|[eiy]+[aeiouy]*", "i"),
        (r"a[aeiouy]*", "a"),
        (r"[ou][aeiouy]*", "u"),
        (r"(.)\1+", r"\1"),
    )
)
_VOWEL = re.compile(r"[aeiouy]")
_VOWEL_OF_TWO = re.compile(r"(?<=[aou])e|([aeiouy])(?=\1)")
# Retroflex and dental initials, which speakers of many regions do not tell apart.
_SAME_INITIALS = (("zh", "z"), ("ch", "c"), ("sh", "s"))


@lru_cache(maxsize=1 << 14)
def to_phonemes(word: str) -> str:
    """Give the phonemes of a word of Latin letters, one character each; "" for any other word."""
    letters = _plain(word)
    if not re.fullmatch(r"[a-z]+", letters):
        return ""
    for pattern, phonemes in _RULES:
        letters = pattern.sub(phonemes, letters)
    return letters


def spelled_vowels(words: str) -> str:
    """Give the vowels as they are spelled: Lina and Lena differ, Mueller and Müller do not."""
    return "".join(_VOWEL.findall(_VOWEL_OF_TWO.sub("", _plain(words))))


def _plain(words: str) -> str:
    return "".join(part for part in unicodedata.normalize("NFKD", words.lower()) if not unicodedata.combining(part))


def phonetic_distance(one: str, other: str, at_most: float = inf) -> float:
    """Give the edit distance of two words' phonemes; similar ones cost less.

    Infinity, and quicker, where it is more than `at_most`.
    """
    weights = [_weight(phoneme) for phoneme in other]
    row = list(accumulate(weights, initial=0.0))
    for phoneme in one:
        weight = _weight(phoneme)
        diagonal, row[0] = row[0], row[0] + weight
        for column, against in enumerate(other, start=1):
            cheapest = min(
                row[column] + weight, row[column - 1] + weights[column - 1], diagonal + _substitution(phoneme, against)
            )
            diagonal, row[column] = row[column], cheapest
        if min(row) > at_most:
            return inf
    return row[-1] if row[-1] <= at_most else inf


def min_distance_by_start(one: str, other: str) -> float:
    """Give the smallest distance that two words can have which start with these phonemes."""
    return min(_substitution(one, other), _weight(one), _weight(other))


def _weight(phoneme: str) -> float:
    return WEAK_COST if phoneme in _WEAK else 1.0


@lru_cache(maxsize=1 << 10)
def _substitution(one: str, other: str) -> float:
    if one == other:
        return 0.0
    if one in _VOWELS and other in _VOWELS:
        return VOWEL_COST
    return NEAR_COST if frozenset((one, other)) in _ALIKE else 1.0


def to_pinyin(characters: str) -> Pinyin:
    """Give the pinyin of each Chinese character in this context, with its tone: "da2"."""
    from pypinyin import Style, lazy_pinyin  # noqa: PLC0415 - a second and 50 MB that only corrections need

    return tuple(lazy_pinyin(characters, style=Style.TONE3, neutral_tone_with_five=True))


def merge_similar_syllables(pinyin: Pinyin) -> Pinyin:
    """Drop the tones, and merge initials and finals that speakers of many regions do not tell apart."""
    return tuple(_merged(syllable.rstrip("12345")) for syllable in pinyin)


def _merged(syllable: str) -> str:
    for retroflex, dental in _SAME_INITIALS:
        syllable = syllable.replace(retroflex, dental)
    return re.sub(r"(?<=[aei])ng$", "n", syllable)
