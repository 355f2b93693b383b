"""The tables of the Telegram door."""

from sqlalchemy import (
    BigInteger,
    Column,
    Computed,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from storage.tables import NOTE_ID, UtcDateTime, metadata

LOCALE_LENGTH = 35

# The message that each note of this door came in.
telegram_messages = Table(
    "telegram_messages",
    metadata,
    Column("note_id", NOTE_ID, ForeignKey("notes.id", ondelete="CASCADE"), primary_key=True),
    Column("bot_id", BigInteger, nullable=False),
    Column("chat_id", BigInteger, nullable=False),
    Column("message_id", BigInteger, nullable=False),
    # Both empty in the bot's own chats. In others, ids of chats and messages are not those that the bot knows there.
    Column("business_connection_id", Text, nullable=False, server_default=""),
    Column("guest_query_id", Text, nullable=False, server_default=""),
    Column("thread_id", BigInteger),
    Column("user_id", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("file_id", Text, nullable=False),
    Column("file_name", Text),
    Column("locale", String(LOCALE_LENGTH), nullable=False),
    Column("received_at", UtcDateTime, nullable=False),  # as in `notes`, for the index of a chat's notes
    Column("moved_to", BigInteger),  # the supergroup that the group became
    Column("answer_chat_id", BigInteger, Computed("coalesce(moved_to, chat_id)", persisted=True)),
    UniqueConstraint(
        "bot_id",
        "chat_id",
        "message_id",
        "business_connection_id",
        "guest_query_id",
        name="uq_telegram_messages_message",
    ),
    Index(
        "ix_telegram_messages_chat",
        "bot_id",
        "answer_chat_id",
        "business_connection_id",
        "guest_query_id",
        "received_at",
        "note_id",
    ),
    Index("ix_telegram_messages_sender", "bot_id", "answer_chat_id", "user_id", "received_at", "note_id"),
)

HAS_MOVED = telegram_messages.c.moved_to.is_not(None)
Index(
    "ix_telegram_messages_moved",
    telegram_messages.c.bot_id,
    telegram_messages.c.moved_to,
    telegram_messages.c.chat_id,
    sqlite_where=HAS_MOVED,
    postgresql_where=HAS_MOVED,
)

# Every message that the bot sent for a note: part 0 is the status message, 1 and up are further parts of its text.
telegram_replies = Table(
    "telegram_replies",
    metadata,
    Column("note_id", NOTE_ID, ForeignKey("notes.id", ondelete="CASCADE"), primary_key=True),
    Column("run", Integer, primary_key=True),
    Column("part", Integer, primary_key=True),
    Column("bot_id", BigInteger, nullable=False),
    Column("chat_id", BigInteger, nullable=False),
    Column("message_id", BigInteger, nullable=False),
    Index("ix_telegram_replies_message", "bot_id", "chat_id", "message_id"),
)

# How many notes each chat of the bot's own has; kept by triggers on `telegram_messages`.
telegram_chats = Table(
    "telegram_chats",
    metadata,
    Column("bot_id", BigInteger, primary_key=True),
    Column("chat_id", BigInteger, primary_key=True),
    Column("notes", BigInteger, nullable=False, server_default="0"),
)

# What people may do with a bot, beside what the settings say.
telegram_people = Table(
    "telegram_people",
    metadata,
    Column("bot_id", BigInteger, primary_key=True),
    Column("user_id", BigInteger, primary_key=True),
    Column("role", String(16), nullable=False),
    Column("expires_at", UtcDateTime),  # None: never
    Index("ix_telegram_people_role", "bot_id", "role"),
)

# Links that give whoever opens them first a role. The code itself is known only to those who were given the link.
telegram_links = Table(
    "telegram_links",
    metadata,
    Column("code_hash", String(64), primary_key=True),
    Column("bot_id", BigInteger, nullable=False),
    Column("role", String(16), nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Index("ix_telegram_links_role", "bot_id", "role"),
)
