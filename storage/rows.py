"""Converts rows of the table `notes` into `Note` values."""

from dataclasses import fields

from sqlalchemy import RowMapping

from storage.note import Failure, Note, State
from storage.tables import notes

PLAIN = tuple(field.name for field in fields(Note) if field.name not in {"state", "error"})
COLUMNS = [notes.c[name] for name in (*PLAIN, "state", "error_code", "error_params")]


def note_from_row(row: RowMapping) -> Note:
    """Convert a row that has `COLUMNS`."""
    code = row["error_code"]
    return Note(
        **{name: row[name] for name in PLAIN},
        state=State(row["state"]),
        error=None if code is None else Failure(code=code, params=row["error_params"]),
    )
