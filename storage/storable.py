"""Makes what a door received such that every database can store it, where nothing that matters is lost by it."""

import re
from typing import TypeVar

LARGEST_INTEGER = 2**63 - 1
Number = TypeVar("Number", int, float)
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # PostgreSQL stores no NUL, and no database half of a surrogate pair


def storable_text(text: str) -> str:
    """Replace each character that a database cannot store."""
    return _UNSTORABLE.sub(REPLACEMENT, text)


def storable_number(number: Number | None) -> Number | None:
    """Return the number, or None if it is too large for a database."""
    return None if number is None or not abs(number) <= LARGEST_INTEGER else number
