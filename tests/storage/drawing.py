"""The drawing of a note's life in docs/guarantees.md, read as what it claims."""

import re
from pathlib import Path
from typing import NamedTuple

from storage.note import Note

GUARANTEES = Path(__file__).parents[2] / "docs" / "guarantees.md"
ARROW = re.compile(r"^\s+(\S+) --> (\S+): (\w+)$", re.MULTILINE)


class Step(NamedTuple):
    """An arrow of the drawing: the ledger's method `change` takes a note from `start` to `end`."""

    start: str
    change: str
    end: str


DRAWN = {Step(start, change, end) for start, end, change in ARROW.findall(GUARANTEES.read_text())}


def place_of(note: Note) -> str:
    """Give where a note is in the drawing."""
    if note.undeliverable is not None:
        return "undeliverable"
    return note.state.value if note.delivered_at is None else "delivered"
