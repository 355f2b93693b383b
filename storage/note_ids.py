"""Generates note ids: short, in order of time, safe in file names and in button data."""

import secrets
import time


def new_note_id() -> str:
    """Return a new id: the time in microseconds as 13 hexadecimal digits, then 3 random ones."""
    return f"{time.time_ns() // 1000:013x}{secrets.randbelow(0x1000):03x}"
