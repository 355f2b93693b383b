"""The tables of the ledger. `migrations` creates them; a test compares the two."""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator

PREVIEW_LENGTH = 120


class UtcDateTime(TypeDecorator[datetime]):
    """A time in UTC: SQLite does not store the zone, so it is added when the value is read."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert a time of any zone into UTC."""
        del dialect
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the stored time with its zone."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

notes = Table(
    "notes",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("bot_id", BigInteger, nullable=False),
    Column("chat_id", BigInteger, nullable=False),
    Column("message_id", BigInteger, nullable=False),
    Column("thread_id", BigInteger),
    Column("user_id", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("file_id", Text, nullable=False),
    Column("file_unique_id", Text, nullable=False),
    Column("claimed_s", Float),
    Column("claimed_bytes", BigInteger),
    Column("mime", Text),  # no longer used; to be dropped once no older version can be running
    Column("file_name", Text),
    Column("locale", String(35), nullable=False),
    Column("state", String(16), nullable=False),
    Column("fence", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("run", Integer, nullable=False),
    Column("language", String(16)),
    Column("hotwords", Text, nullable=False, default="[]"),  # as `mime`
    Column("options", String(64)),  # hash of the model and request of the transcript, made in `jobs`
    Column("status_message_id", BigInteger),
    Column("stray_after", BigInteger),  # as `mime`
    Column("moved_to", BigInteger),
    Column("received_at", UtcDateTime, nullable=False),
    Column("queued_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("delivered_at", UtcDateTime),
    Column("undeliverable", Text),
    Column("worker", Text),
    Column("beat_at", UtcDateTime),  # last heartbeat of its worker; empty while nobody holds the note
    Column("audio_s", Float),
    Column("engine_s", Float),
    Column("model", Text),
    Column("digest", String(64)),
    Column("error_code", String(64)),
    Column("error_params", JSON(none_as_null=True)),
    Column("recording", Text),
    Column("preview", String(PREVIEW_LENGTH), nullable=False),
    UniqueConstraint("bot_id", "chat_id", "message_id"),
    Index("ix_notes_file", "file_unique_id", "options"),
    Index("ix_notes_digest", "digest", "options"),
    Index("ix_notes_state", "state", "finished_at"),
    Index("ix_notes_moved", "bot_id", "moved_to"),
)
Index(
    "ix_notes_undelivered",
    notes.c.bot_id,
    notes.c.chat_id,
    sqlite_where=notes.c.delivered_at.is_(None),
    postgresql_where=notes.c.delivered_at.is_(None),
)

transcripts = Table(
    "transcripts",
    metadata,
    Column("note_id", ForeignKey("notes.id", ondelete="CASCADE"), primary_key=True),
    Column("transcript", Text, nullable=False),
    Column("text", Text, nullable=False, default=""),  # as `notes.mime`
)

# Every message that the bot sent for a note: part 0 is the status message, 1 and up are further parts of its text.
replies = Table(
    "replies",
    metadata,
    Column("note_id", ForeignKey("notes.id", ondelete="CASCADE"), primary_key=True),
    Column("run", Integer, primary_key=True),
    Column("part", Integer, primary_key=True),
    Column("bot_id", BigInteger, nullable=False),
    Column("chat_id", BigInteger, nullable=False),
    Column("message_id", BigInteger, nullable=False),
    Index("ix_replies_message", "bot_id", "chat_id", "message_id"),
)
