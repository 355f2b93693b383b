"""Reads and sanitizes lists of hotwords. Knows nothing of how a model uses them."""

import re
import unicodedata
from codecs import getincrementaldecoder
from collections.abc import Iterable
from pathlib import Path

from engine.errors import HotwordsUnreadable

MAX_WORDS = 500
MAX_CHARACTERS = 64
MAX_BYTES = 1 << 20
NO_TEXT = "it is not text in UTF-8"

# FunASR splits hotwords at spaces, fetches one that begins with "http" and opens one that ends in ".txt"; and what
# models use as control tokens, <|endoftext|>, </s> or [INST], has brackets, which nobody speaks.
_FORBIDDEN = re.compile(r"^http|[/\\:]|\.txt\b|[<>|\[\]{}]", re.IGNORECASE)

# Behind a term it has a space before it, and no digit behind: "C#", "F# minor" and "Studio #5" are terms.
_COMMENT = re.compile(r"^\s*#.*|\s#+(?:\D.*)?$")

# A colon, which no term may have: FunASR's "word 30" would take the number of "Windows 11" for a weight.
_TERM_WITH_WEIGHT = re.compile(r"(.*[^\s:])\s*:\s*(\d{1,3})")
DEFAULT_WEIGHT = 20


def read_hotwords(path: Path) -> tuple[str, ...]:
    """Read a file of one term a line, maybe with a weight; a `#` at the start or behind a space begins a comment.

    Raises:
        HotwordsUnreadable: the file cannot be read, or is not text.
    """
    try:
        with path.open("rb") as file:
            text = _decode(file.read(MAX_BYTES))
    except OSError as error:
        raise HotwordsUnreadable(path=str(path), reason=error.strerror or str(error)) from None
    except UnicodeError:
        raise HotwordsUnreadable(path=str(path), reason=NO_TEXT) from None
    return sort_by_weight(_COMMENT.sub("", line) for line in text.splitlines())


def _decode(beginning: bytes) -> str:
    """Decode the first MAX_BYTES of a text, which may end within a character."""
    if b"\0" in beginning:  # UTF-16, or no text at all
        raise UnicodeError
    return getincrementaldecoder("utf-8-sig")().decode(beginning, final=len(beginning) < MAX_BYTES)


def sort_by_weight(lines: Iterable[str]) -> tuple[str, ...]:
    """Give the terms of lines such as "Kubernetes: 30", those with the highest weight first.

    No model here takes the weight itself: it decides which terms are kept where there are too many.
    """
    weighted = sorted(map(_term_and_weight, lines), key=lambda found: -found[1])
    return sanitize_hotwords(term for term, _ in weighted)


def _term_and_weight(line: str) -> tuple[str, int]:
    found = _TERM_WITH_WEIGHT.fullmatch(line.strip())
    return (found.group(1), int(found.group(2))) if found else (line, DEFAULT_WEIGHT)


def sanitize_hotwords(terms: Iterable[str]) -> tuple[str, ...]:
    """Give the terms that are safe for every model: trimmed, without duplicates, at most MAX_WORDS.

    What looks like an address, a path or a model's control token is left out, also in compatibility characters.
    """
    trimmed = (" ".join(_printable(term).split()) for term in terms)
    unique = dict.fromkeys(term for term in trimmed if _is_safe(term))
    return tuple(unique)[:MAX_WORDS]


def _printable(term: str) -> str:
    return "".join(character if character.isprintable() else " " for character in term)


def _is_safe(term: str) -> bool:
    return 0 < len(term) <= MAX_CHARACTERS and not _FORBIDDEN.search(unicodedata.normalize("NFKC", term))
