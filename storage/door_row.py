"""The row that a door writes beside a note, into a table of its own."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorRow:
    """What only the door knows of a note. `key` is what no other row of `table` has; `values` has it as well.

    All that come with the same key come from the same account. The table has a column `note_id`, and `received_at` for
    when the note came.
    """

    table: Table
    key: Mapping[str, object]
    values: Mapping[str, object]
