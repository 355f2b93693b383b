"""Names for notes: short, in order of time, safe in file names and in buttons."""

import secrets
import time

ID_LENGTH = 16


def new_id() -> str:
    """Give a name that no other note has: the microsecond in 13 hex digits, then 3 of chance."""
    return f"{time.time_ns() // 1000:013x}{secrets.randbelow(0x1000):03x}"
