"""Makes what a door received such that every database can store it, where nothing that matters is lost by it."""

import re
from dataclasses import replace
from typing import TypeVar

from storage.note import Incoming
from storage.tables import LOCALE_LENGTH

LARGEST_INTEGER = 2**63 - 1
Number = TypeVar("Number", int, float)
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # PostgreSQL stores no NUL, and no database half of a surrogate pair


def storable_text(text: str) -> str:
    """Replace each character that a database cannot store."""
    return _UNSTORABLE.sub(REPLACEMENT, text)


def storable(incoming: Incoming) -> Incoming:
    """Clean texts, shorten the locale, and leave out numbers that the note does not depend on and that are too large.

    The ids of chat, message and user stay as they are.
    """
    return replace(
        incoming,
        kind=storable_text(incoming.kind),
        business_connection_id=storable_text(incoming.business_connection_id),
        guest_query_id=storable_text(incoming.guest_query_id),
        file_id=storable_text(incoming.file_id),
        file_unique_id=storable_text(incoming.file_unique_id),
        file_name=None if incoming.file_name is None else storable_text(incoming.file_name),
        locale=storable_text(incoming.locale)[:LOCALE_LENGTH],
        claimed_s=_if_storable(incoming.claimed_s),
        claimed_bytes=_if_storable(incoming.claimed_bytes),
        thread_id=_if_storable(incoming.thread_id),
    )


def _if_storable(number: Number | None) -> Number | None:
    return None if number is None or not abs(number) <= LARGEST_INTEGER else number
