"""Words that many people use, so that nobody takes them for misheard ones. Read out of what other packages bring along.

Latin letters: what Whisper's vocabulary has as a whole. Chinese: what jieba's dictionary counts often.
"""

import base64
import binascii
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

LONGEST = 4
OFTEN = 5
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
    """Tell whether a word of Latin letters, written small, is common, or one with an English ending."""
    stems = (word.removesuffix(ending) + stem for ending, stem in ENDINGS if word.endswith(ending))
    return word in _latin() or any(stem in _latin() for stem in stems)


def is_common_chinese_word(characters: str) -> bool:
    """Tell whether these two to four characters are a common word."""
    return characters in _chinese()


@cache
def _latin() -> frozenset[str]:
    return frozenset(_tokens(_file_of("whisper", "assets/multilingual.tiktoken")))


def _tokens(file: Path) -> Iterator[str]:
    for line in file.read_bytes().splitlines():
        token = _decoded(line.partition(b" ")[0])
        if token.startswith(" ") and token[1:].isalpha() and token[1:].islower():
            yield token[1:]


def _decoded(token: bytes) -> str:
    try:
        return base64.b64decode(token).decode()
    except (binascii.Error, UnicodeDecodeError):  # part of a character
        return ""


@cache
def _chinese() -> frozenset[str]:
    lines = _file_of("jieba", "dict.txt").read_text(encoding="utf-8").splitlines()
    entries = (line.split(" ") for line in lines)
    return frozenset(word for word, count, *_ in entries if 1 < len(word) <= LONGEST and int(count) >= OFTEN)


def _file_of(package: str, path: str) -> Path:
    """Find a package's file without loading the package."""
    found = find_spec(package)
    if found is None or found.origin is None:
        raise FileNotFoundError(package)
    return Path(found.origin).parent / path
