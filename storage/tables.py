"""The tables of the ledger. How they came to be is in `migrations`; a test holds the two together."""

import json
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


class Utc(TypeDecorator[datetime]):
    """A moment in UTC: SQLite forgets the zone of what it keeps, so it is put back when read."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn a moment of any zone into UTC."""
        del dialect
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Read a moment back with its zone."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Words(TypeDecorator[tuple[str, ...]]):
    """A tuple of words, kept as JSON text so that every database can compare it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: Dialect) -> str | None:
        """Write the words as a JSON list."""
        del dialect
        return None if value is None else json.dumps(list(value), ensure_ascii=False)

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[str, ...] | None:
        """Read the JSON list back."""
        del dialect
        return None if value is None else tuple(json.loads(value))


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
    Column("mime", Text),
    Column("file_name", Text),
    Column("locale", String(35), nullable=False),
    Column("state", String(16), nullable=False),
    Column("fence", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("run", Integer, nullable=False),
    Column("language", String(16)),
    Column("hotwords", Words, nullable=False),
    Column("options", String(64)),  # which model and request the transcript is of, as `jobs` names it
    Column("status_message_id", BigInteger),
    Column("stray_after", BigInteger),
    Column("moved_to", BigInteger),
    Column("received_at", Utc, nullable=False),
    Column("queued_at", Utc, nullable=False),
    Column("started_at", Utc),
    Column("finished_at", Utc),
    Column("delivered_at", Utc),
    Column("undeliverable", Text),
    Column("worker", Text),
    Column("beat_at", Utc),  # when its worker was last seen alive; empty while nobody holds the note
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
    Column("text", Text, nullable=False),
)

# Every message that the bot sent for a note: part 0 is the status reply, 1 and up the further parts of its text.
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
