"""Adds the table of deliveries, and since when the audio of a note cannot be fetched."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

UNDELIVERED = """
INSERT INTO deliveries (note_id, run, bot_id, state, attempts, next_at)
SELECT id, run, bot_id, 'waiting', 0, coalesce(finished_at, queued_at) FROM notes
WHERE state IN ('done', 'failed', 'cancelled') AND delivered_at IS NULL AND undeliverable IS NULL
"""


def upgrade() -> None:
    """Add the column and the table; what has ended and was not delivered is due at once."""
    op.add_column("notes", sa.Column("unfetched_since", sa.DateTime(timezone=True)))
    note_id = sa.Column("note_id", sa.String(26), sa.ForeignKey("notes.id", ondelete="CASCADE"), primary_key=True)
    op.create_table(
        "deliveries",
        note_id,
        sa.Column("run", sa.Integer(), primary_key=True),
        sa.Column("bot_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text()),
    )
    op.create_index("ix_deliveries_due", "deliveries", ["bot_id", "state", "next_at"])
    op.execute(UNDELIVERED)
