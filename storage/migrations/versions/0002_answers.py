"""Adds columns for undeliverable answers, groups that became supergroups, and stray messages."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns; existing notes keep their values."""
    op.add_column("notes", sa.Column("stray_after", sa.BigInteger()))
    op.add_column("notes", sa.Column("moved_to", sa.BigInteger()))
    op.add_column("notes", sa.Column("undeliverable", sa.Text()))
    op.create_index("ix_notes_moved", "notes", ["bot_id", "moved_to"])
