"""How words sound, and how far apart two of them are. Pure: knows no hotwords; Latin letters and Chinese characters."""

import re
import unicodedata
from functools import lru_cache
from itertools import accumulate
from math import inf

Syllables = tuple[str, ...]

NEAR, VOWELS, WEAK = 0.4, 0.45, 0.4
_VOWELS = "aiu"
_WEAK = _VOWELS + "h"
_ALIKE = frozenset(
    frozenset(pair) for pair in ("bp", "dt", "gk", "fv", "mn", "jC", "CS", "jS", "sS", "Td", "Tt", "Ts", "gj", "bv")
)

# Spelling to sounds, in this order: S as in she, C as in church, T as in thing.
_RULES = tuple(
    (re.compile(pattern), sound)
    for pattern, sound in (
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
# What speakers of different regions do not tell apart.
_SAME_SYLLABLES = (("zh", "z"), ("ch", "c"), ("sh", "s"))


@lru_cache(maxsize=1 << 14)
def sound(word: str) -> str:
    """Give the sounds of a word of Latin letters, "" for one of others."""
    letters = _plain(word)
    if not re.fullmatch(r"[a-z]+", letters):
        return ""
    for pattern, said in _RULES:
        letters = pattern.sub(said, letters)
    return letters


def spelt_vowels(words: str) -> str:
    """Give the vowels as they are spelt: Lina and Lena differ, Mueller and Müller do not."""
    return "".join(_VOWEL.findall(_VOWEL_OF_TWO.sub("", _plain(words))))


def _plain(words: str) -> str:
    return "".join(part for part in unicodedata.normalize("NFKD", words.lower()) if not unicodedata.combining(part))


def distance(one: str, other: str, at_most: float = inf) -> float:
    """Give how many sounds have to be changed to come from one to the other; near ones count less.

    Infinity, sooner, where it is more than `at_most`.
    """
    weights = [_weight(said) for said in other]
    row = list(accumulate(weights, initial=0.0))
    for mine in one:
        weight = _weight(mine)
        diagonal, row[0] = row[0], row[0] + weight
        for column, said in enumerate(other, start=1):
            cheapest = min(row[column] + weight, row[column - 1] + weights[column - 1], diagonal + _gap(mine, said))
            diagonal, row[column] = row[column], cheapest
        if min(row) > at_most:
            return inf
    return row[-1] if row[-1] <= at_most else inf


def least_distance(one: str, other: str) -> float:
    """Give how far apart whatever begins with these two sounds is at least."""
    return min(_gap(one, other), _weight(one), _weight(other))


def _weight(said: str) -> float:
    return WEAK if said in _WEAK else 1.0


@lru_cache(maxsize=1 << 10)
def _gap(one: str, other: str) -> float:
    if one == other:
        return 0.0
    if one in _VOWELS and other in _VOWELS:
        return VOWELS
    return NEAR if frozenset((one, other)) in _ALIKE else 1.0


def syllables(characters: str) -> Syllables:
    """Give the syllable of each Chinese character, with its tone: "da2", as the characters around it tell."""
    from pypinyin import Style, lazy_pinyin  # noqa: PLC0415 - a second and 50 MB that only corrections need

    return tuple(lazy_pinyin(characters, style=Style.TONE3, neutral_tone_with_five=True))


def merge_similar_syllables(said: Syllables) -> Syllables:
    """Give the syllables without tones, and without what speakers of different regions do not tell apart."""
    return tuple(_blurred(syllable.rstrip("12345")) for syllable in said)


def _blurred(syllable: str) -> str:
    for distinct, same in _SAME_SYLLABLES:
        syllable = syllable.replace(distinct, same)
    return re.sub(r"(?<=[aei])ng$", "n", syllable)
