"""The tables of the ledger that serve every door. `migrations` creates them; a test compares the two."""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    FromClause,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    and_,
    false,
    literal_column,
)
from sqlalchemy.types import TypeDecorator

from storage import note_ids

PREVIEW_LENGTH = 120
NOTE_ID = String(note_ids.LENGTH)


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
    Column("id", NOTE_ID, primary_key=True),
    Column("door", Text, nullable=False),
    Column("account", Text, nullable=False, server_default=""),
    Column("sound_key", Text),
    Column("claimed_s", Float),
    Column("claimed_bytes", BigInteger),
    Column("request", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("fence", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("run", Integer, nullable=False),
    Column("options", String(64)),  # hash of the model and request of the transcript, made in `jobs`
    Column("received_at", UtcDateTime, nullable=False),
    Column("queued_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("unfetched_since", UtcDateTime),  # when fetching the audio first failed; empty once it has been fetched
    Column("finished_at", UtcDateTime),
    Column("delivered_at", UtcDateTime),
    Column("undeliverable", Text),
    Column("worker", Text),
    Column("is_long", Boolean, nullable=False, server_default=false()),
    Column("tag", BigInteger, nullable=False, server_default="0"),  # its turn among the notes of its kind
    Column("beat_at", UtcDateTime),  # last heartbeat of its worker; empty while nobody holds the note
    Column("audio_s", Float),
    Column("engine_s", Float),
    Column("model", Text),
    Column("digest", String(64)),
    Column("error_code", String(64)),
    Column("error_params", JSON(none_as_null=True)),
    Column("preview", String(PREVIEW_LENGTH), nullable=False),
    Index("ix_notes_same_sound", "sound_key", "options", "state", "id"),
    Index("ix_notes_same_digest", "digest", "options", "state", "id"),
    Index("ix_notes_received", "received_at", "id"),
)


def is_unbegun(table: FromClause) -> ColumnElement[bool]:
    """Return the condition that a note, of `notes` or an alias, waits and no worker has begun on it in this run."""
    return and_(table.c.state == literal_column("'queued'"), table.c.started_at.is_(None))


# The conditions of the partial indexes. A query uses such an index only if it has the very same words, so what they
# compare with is part of the statement, and not a parameter.
UNSETTLED = and_(notes.c.delivered_at.is_(None), notes.c.undeliverable.is_(None))
IS_QUEUED = notes.c.state == literal_column("'queued'")
IS_MEASURED = and_(notes.c.state == literal_column("'done'"), notes.c.engine_s > literal_column("0"))
PARTIAL_INDEXES = {
    "ix_notes_unsettled": ((notes.c.id,), UNSETTLED),
    "ix_notes_turn": ((notes.c.door, notes.c.is_long, notes.c.tag), is_unbegun(notes)),
    "ix_notes_turn_of_account": (
        (notes.c.door, notes.c.account, notes.c.is_long, notes.c.tag),
        is_unbegun(notes),
    ),
    "ix_notes_queued": ((notes.c.queued_at,), IS_QUEUED),
    "ix_notes_measured": ((notes.c.finished_at,), IS_MEASURED),
}
for _name, (_columns, _where) in PARTIAL_INDEXES.items():
    Index(_name, *_columns, sqlite_where=_where, postgresql_where=_where)

# Those who send notes, at whichever door. A row is also the lock under which its notes get their tags.
accounts = Table(
    "accounts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("last_note_at", UtcDateTime, nullable=False),  # when it last sent a note, or had one tried again
)

transcripts = Table(
    "transcripts",
    metadata,
    Column("note_id", NOTE_ID, ForeignKey("notes.id", ondelete="CASCADE"), primary_key=True),
    Column("transcript", Text, nullable=False),
)

# Whether the outcome of a note's run has been delivered, when the next attempt is due, and why the last one failed.
deliveries = Table(
    "deliveries",
    metadata,
    Column("note_id", ForeignKey("notes.id", ondelete="CASCADE"), primary_key=True),
    Column("run", Integer, primary_key=True),
    Column("door", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", UtcDateTime, nullable=False),
    Column("reason", Text),
    Index("ix_deliveries_due", "door", "state", "next_at"),
)

# The files that are kept of notes. A row is there before its file and goes after it: `deleted_at` is the tombstone of
# a file that is yet to be deleted. It outlives the note, so no foreign key refers to that.
artefacts = Table(
    "artefacts",
    metadata,
    Column("note_id", NOTE_ID, primary_key=True),
    Column("kind", String(16), primary_key=True),  # "recording", or the format of a text
    Column("key", Text, nullable=False),  # what the file is called in its store
    Column("store", Text, nullable=False),  # where the file is or may be; empty before anybody has put it anywhere
    Column("bytes", BigInteger),
    Column("sha256", String(64)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("stored_at", UtcDateTime),  # empty while the file is not in the store, or no longer what it should be
    Column("expires_at", UtcDateTime),
    Column("deleted_at", UtcDateTime),
    Column("attempts", Integer, nullable=False),
    Column("next_at", UtcDateTime, nullable=False),  # when what is left to do may be claimed
)
IS_RECORDING = artefacts.c.kind == literal_column("'recording'")
IS_LIVE = artefacts.c.deleted_at.is_(None)
IS_UNWRITTEN_TEXT = and_(~IS_RECORDING, IS_LIVE, artefacts.c.stored_at.is_(None))
ARTEFACT_INDEXES = {
    "ix_artefacts_unwritten": ((artefacts.c.store, artefacts.c.next_at), IS_UNWRITTEN_TEXT),
    "ix_artefacts_deleted": ((artefacts.c.store, artefacts.c.next_at), artefacts.c.deleted_at.is_not(None)),
    "ix_artefacts_expiring": ((artefacts.c.expires_at,), and_(IS_LIVE, artefacts.c.expires_at.is_not(None))),
    "ix_artefacts_recordings": ((artefacts.c.created_at, artefacts.c.note_id), and_(IS_RECORDING, IS_LIVE)),
}
for _name, (_columns, _where) in ARTEFACT_INDEXES.items():
    Index(_name, *_columns, sqlite_where=_where, postgresql_where=_where)

# How many notes of a day have artefacts: the number in their keys.
artefact_days = Table(
    "artefact_days",
    metadata,
    Column("day", String(10), primary_key=True),
    Column("notes", Integer, nullable=False),
)

# What an account chose for all notes that it sends from then on; the names are those of `engine.Request`.
settings = Table(
    "settings",
    metadata,
    Column("account", Text, primary_key=True),
    Column("name", String(32), primary_key=True),
    Column("value", JSON, nullable=False),
)

# What came in at a door and could not be recorded as a note, however often it would be tried.
dead_letters = Table(
    "dead_letters",
    metadata,
    Column("door", String(16), primary_key=True),
    Column("key", Text, primary_key=True),  # what tells one from another at its door
    Column("received_at", UtcDateTime, nullable=False),
    Column("reason", Text, nullable=False),
    Column("body", Text, nullable=False),  # JSON, with all but ASCII escaped
)

# Who did what to whom.
audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", UtcDateTime, nullable=False),
    Column("door", Text, nullable=False),
    Column("actor", Text, nullable=False),  # an account
    Column("action", String(32), nullable=False),
    Column("subject", Text, nullable=False),  # an account
)


def _counts() -> list[Column[int]]:
    names = ("queued", "processing", "done", "failed", "cancelled", "audio_ms", "engine_ms")
    return [Column(name, BigInteger, nullable=False, server_default="0") for name in names]


# What the notes add up to. Triggers on `notes`, made by the migrations, keep these tables in the transaction of each
# change. The totals of a door are spread over several rows, so that transactions of different notes do not wait for
# each other; milliseconds are whole numbers, so that what was added can be taken away without a remainder.
usage = Table(
    "usage",
    metadata,
    Column("door", Text, primary_key=True),
    Column("account", Text, primary_key=True),
    *_counts(),
)
door_totals = Table(
    "door_totals",
    metadata,
    Column("door", Text, primary_key=True),
    Column("shard", Integer, primary_key=True),
    *_counts(),
    Column("accounts", BigInteger, nullable=False, server_default="0"),
)
