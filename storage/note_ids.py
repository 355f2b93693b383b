"""Generates note ids: in order of time, impossible to guess, safe in file names and in button data."""

import secrets
import time

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base32
LENGTH = 26
RANDOM_BITS = 80


def new_note_id() -> str:
    """Return a new id, a ULID: the time in milliseconds (48 bits) and 80 random bits, as 26 characters of base32.

    Ids of earlier versions, 16 hexadecimal digits, stay valid, but sort after all new ones: order by `received_at`.
    """
    number = time.time_ns() // 1_000_000 << RANDOM_BITS | secrets.randbits(RANDOM_BITS)
    return "".join(ALPHABET[number >> shift & 31] for shift in reversed(range(0, 5 * LENGTH, 5)))
