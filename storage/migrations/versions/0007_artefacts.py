"""Artefacts: what is kept of notes as files, and where; the recordings of older versions are taken over."""

import re
from collections import Counter

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

NAME = re.compile(r"(?P<day>\d{4}-\d\d-\d\d)_(?P<number>\d{3,9})_[0-9A-Za-z]+\.[a-z0-9]{1,8}")
MOMENT = sa.DateTime(timezone=True)
LIVE = "deleted_at IS NULL"
INDEXES = {
    "ix_artefacts_unwritten": (("store", "next_at"), f"kind != 'recording' AND {LIVE} AND stored_at IS NULL"),
    "ix_artefacts_deleted": (("store", "next_at"), "deleted_at IS NOT NULL"),
    "ix_artefacts_expiring": (("expires_at",), f"{LIVE} AND expires_at IS NOT NULL"),
    "ix_artefacts_recordings": (("created_at", "note_id"), f"kind = 'recording' AND {LIVE}"),
}
RECORDINGS = """
INSERT INTO artefacts (note_id, kind, key, store, created_at, attempts, next_at)
SELECT id, 'recording', recording, '', coalesce(finished_at, queued_at), 0, coalesce(finished_at, queued_at) FROM notes
WHERE recording IS NOT NULL AND state IN ('done', 'failed', 'cancelled')
"""


def upgrade() -> None:
    """Create the tables. Each worker then puts the recordings of its old folder into the store."""
    _create_tables()
    op.execute(RECORDINGS)
    _fill_days()
    op.execute("ALTER TABLE notes DROP COLUMN recording")  # not by a new table, which would have no triggers


def _create_tables() -> None:
    op.create_table(
        "artefacts",
        sa.Column("note_id", sa.String(26), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger()),
        sa.Column("sha256", sa.String(64)),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("stored_at", MOMENT),
        sa.Column("expires_at", MOMENT),
        sa.Column("deleted_at", MOMENT),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("note_id", "kind", name="pk_artefacts"),
    )
    for name, (columns, condition) in INDEXES.items():
        where = sa.text(condition)
        op.create_index(name, "artefacts", list(columns), sqlite_where=where, postgresql_where=where)
    op.create_table(
        "artefact_days",
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("notes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", name="pk_artefact_days"),
    )


def _fill_days() -> None:
    """Go on counting behind the highest number of each day that a name in the old folder has."""
    highest: Counter[str] = Counter()
    for (name,) in op.get_bind().execute(sa.text("SELECT recording FROM notes WHERE recording IS NOT NULL")):
        if found := NAME.fullmatch(name):
            highest[found["day"]] = max(highest[found["day"]], int(found["number"]))
    if highest:
        days = sa.table("artefact_days", sa.column("day", sa.String), sa.column("notes", sa.Integer))
        op.bulk_insert(days, [{"day": day, "notes": number} for day, number in highest.items()])
