"""Common words, so that they are not taken for misheard hotwords. Read from data files of other packages.

Latin letters: words that are one token of Whisper's vocabulary. Chinese: frequent entries of jieba's dictionary.
"""

import base64
import binascii
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

LONGEST = 4
MIN_COUNT = 5
ENDINGS = (
    ("ies", "y"),
    ("es", ""),
    ("s", ""),
    ("ied", "y"),
    ("ed", ""),
    ("d", ""),
    ("ing", ""),
    ("ing", "e"),
    ("ly", ""),
    ("er", ""),
    ("r", ""),
)


def is_common_word(word: str) -> bool:
    """Tell whether a lower-case word of Latin letters is common, or is so without an English ending."""
    stems = (word.removesuffix(ending) + stem for ending, stem in ENDINGS if word.endswith(ending))
    return word in _latin_words() or any(stem in _latin_words() for stem in stems)


def is_common_chinese_word(characters: str) -> bool:
    """Tell whether these two to four characters are a common word."""
    return characters in _chinese_words()


@cache
def _latin_words() -> frozenset[str]:
    return frozenset(_tokens(_package_file("whisper", "assets/multilingual.tiktoken")))


def _tokens(file: Path) -> Iterator[str]:
    for line in file.read_bytes().splitlines():
        token = _decoded(line.partition(b" ")[0])
        if token.startswith(" ") and token[1:].isalpha() and token[1:].islower():
            yield token[1:]


def _decoded(token: bytes) -> str:
    try:
        return base64.b64decode(token).decode()
    except (binascii.Error, UnicodeDecodeError):  # only part of a character
        return ""


@cache
def _chinese_words() -> frozenset[str]:
    lines = _package_file("jieba", "dict.txt").read_text(encoding="utf-8").splitlines()
    entries = (line.split(" ") for line in lines)
    return frozenset(word for word, count, *_ in entries if 1 < len(word) <= LONGEST and int(count) >= MIN_COUNT)


def _package_file(package: str, path: str) -> Path:
    """Find a file of a package without importing it.

    Raises:
        FileNotFoundError: the package is not installed.
    """
    found = find_spec(package)
    if found is None or found.origin is None:
        raise FileNotFoundError(package)
    return Path(found.origin).parent / path
