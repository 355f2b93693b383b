"""Creates the tables notes, transcripts and replies."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    _notes()
    _transcripts()
    _replies()


def _moment(name: str, *, nullable: bool = True) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _notes() -> None:
    op.create_table("notes", *_incoming(), *_progress(), *_outcome(), *_notes_constraints())
    op.create_index("ix_notes_file", "notes", ["file_unique_id", "options"])
    op.create_index("ix_notes_digest", "notes", ["digest", "options"])
    op.create_index("ix_notes_state", "notes", ["state", "finished_at"])
    undelivered = sa.text("delivered_at IS NULL")
    op.create_index(
        "ix_notes_undelivered",
        "notes",
        ["bot_id", "chat_id"],
        sqlite_where=undelivered,
        postgresql_where=undelivered,
    )


def _incoming() -> Sequence[sa.schema.SchemaItem]:
    return [
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("bot_id", sa.BigInteger(), nullable=False),
        sa.Column("chat_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("thread_id", sa.BigInteger()),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("file_id", sa.Text(), nullable=False),
        sa.Column("file_unique_id", sa.Text(), nullable=False),
        sa.Column("claimed_s", sa.Float()),
        sa.Column("claimed_bytes", sa.BigInteger()),
        sa.Column("mime", sa.Text()),
        sa.Column("file_name", sa.Text()),
        sa.Column("locale", sa.String(35), nullable=False),
    ]


def _progress() -> Sequence[sa.schema.SchemaItem]:
    return [
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("language", sa.String(16)),
        sa.Column("hotwords", sa.Text(), nullable=False),
        sa.Column("options", sa.String(64)),
        sa.Column("status_message_id", sa.BigInteger()),
        _moment("received_at", nullable=False),
        _moment("queued_at", nullable=False),
        _moment("started_at"),
        _moment("finished_at"),
        _moment("delivered_at"),
        sa.Column("worker", sa.Text()),
        _moment("beat_at"),
    ]


def _outcome() -> Sequence[sa.schema.SchemaItem]:
    return [
        sa.Column("audio_s", sa.Float()),
        sa.Column("engine_s", sa.Float()),
        sa.Column("model", sa.Text()),
        sa.Column("digest", sa.String(64)),
        sa.Column("error_code", sa.String(64)),
        sa.Column("error_params", sa.JSON()),
        sa.Column("recording", sa.Text()),
        sa.Column("preview", sa.String(120), nullable=False),
    ]


def _notes_constraints() -> Sequence[sa.schema.SchemaItem]:
    return [
        sa.PrimaryKeyConstraint("id", name="pk_notes"),
        sa.UniqueConstraint("bot_id", "chat_id", "message_id", name="uq_notes_bot_id_chat_id_message_id"),
    ]


def _transcripts() -> None:
    op.create_table(
        "transcripts",
        sa.Column("note_id", sa.String(16), nullable=False),
        sa.Column("transcript", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("note_id", name="pk_transcripts"),
        sa.ForeignKeyConstraint(["note_id"], ["notes.id"], ondelete="CASCADE", name="fk_transcripts_note_id"),
    )


def _replies() -> None:
    op.create_table(
        "replies",
        sa.Column("note_id", sa.String(16), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("bot_id", sa.BigInteger(), nullable=False),
        sa.Column("chat_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("note_id", "run", "part", name="pk_replies"),
        sa.ForeignKeyConstraint(["note_id"], ["notes.id"], ondelete="CASCADE", name="fk_replies_note_id"),
    )
    op.create_index("ix_replies_message", "replies", ["bot_id", "chat_id", "message_id"])
