"""Accounts, and fair order between them: each note has a tag, by which the queue is sorted."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

UNBEGUN = sa.text("state = 'queued' AND started_at IS NULL")
CLAIMED_S = "coalesce(nullif(claimed_s, 0), nullif(coalesce(claimed_bytes, 0), 0) / 8000.0, 20)"
COST_MS = f"CASE WHEN {CLAIMED_S} <= 300 THEN 300000 WHEN {CLAIMED_S} > 86400 THEN 86400000 ELSE {CLAIMED_S} * 1000 END"

# What waits goes on in turns: the first of each account, then the second of each. The tag of what has ended is 0.
TAGS = f"""
UPDATE notes SET tag = turns.tag FROM (
    SELECT id, sum(CAST({COST_MS} AS BIGINT)) OVER (PARTITION BY bot_id, account, is_long ORDER BY queued_at, id) AS tag
    FROM notes WHERE state IN ('queued', 'processing')
) AS turns WHERE turns.id = notes.id
"""  # noqa: S608 - made of this file's own words

ACCOUNTS = """
INSERT INTO accounts (id, created_at, last_note_at)
SELECT account, min(received_at), max(queued_at) FROM notes GROUP BY account
"""


def upgrade() -> None:
    """Create the table, and give each note its account, its kind, and if it waits its tag."""
    op.add_column("notes", sa.Column("account", sa.Text(), nullable=False, server_default=""))
    op.add_column("notes", sa.Column("is_long", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("notes", sa.Column("tag", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "accounts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_note_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
    )
    op.execute(f"UPDATE notes SET account = 'telegram:' || user_id, is_long = ({CLAIMED_S} > 300)")  # noqa: S608 - as above
    op.execute(TAGS)
    op.execute(ACCOUNTS)
    op.drop_index("ix_notes_unsettled_chat", "notes")
    for name, columns in {
        "ix_notes_turn": ["bot_id", "is_long", "tag"],
        "ix_notes_turn_of_account": ["bot_id", "account", "is_long", "tag"],
    }.items():
        op.create_index(name, "notes", columns, sqlite_where=UNBEGUN, postgresql_where=UNBEGUN)
