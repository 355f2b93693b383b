"""Tables for any door: what only Telegram knows of a note moves out of `notes` into tables of its own."""

from collections.abc import Callable, Sequence

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

STATES = ("queued", "processing", "done", "failed", "cancelled")
COUNTS = (*STATES, "audio_ms", "engine_ms")
SHARDS = 16
UNBEGUN = sa.text("state = 'queued' AND started_at IS NULL")
OLD_TRIGGERS = {
    "notes": ("notes_added", "notes_changed", "notes_moved", "notes_deleted"),
    "user_totals": ("users_added", "users_deleted"),
}
OLD_INDEXES = (
    "ix_notes_same_file",
    "ix_notes_chat",
    "ix_notes_turn",
    "ix_notes_turn_of_account",
    "ix_notes_moved",
)
MESSAGE_KEY = ("bot_id", "chat_id", "message_id", "business_connection_id", "guest_query_id")
MESSAGE = (*MESSAGE_KEY, "thread_id", "user_id", "kind", "file_id", "file_name", "locale", "received_at", "moved_to")
MOVED_OUT = (
    "answer_chat_id",  # first: it is computed from others
    *(name for name in MESSAGE if name != "received_at"),
    "file_unique_id",
    "status_message_id",
    "language",
    "mime",
    "hotwords",
    "stray_after",
)
REQUEST = {
    "sqlite": "CASE WHEN language IS NULL THEN '{}' ELSE json_object('language', language) END",
    "postgresql": "CASE WHEN language IS NULL THEN '{}' ELSE json_build_object('language', language) END",
}

Kind = Callable[[], sa.types.TypeEngine[str] | sa.types.TypeEngine[int]]


def upgrade() -> None:
    """Move the columns; notes keep their ids and all that was known of them."""
    _drop_triggers()
    _create_messages()
    _create_replies()
    _change_notes()
    _change_deliveries()
    _change_totals()
    _create_settings()
    _create_triggers()


def _drop_triggers() -> None:
    for table, names in OLD_TRIGGERS.items():
        for name in names:
            if _is_sqlite():
                op.execute(f"DROP TRIGGER {name}")
            else:
                op.execute(f"DROP TRIGGER {name} ON {table}")
                op.execute(f"DROP FUNCTION {name}()")


def _create_messages() -> None:
    op.create_table(
        "telegram_messages",
        sa.Column("note_id", sa.String(26), nullable=False),
        sa.Column("bot_id", sa.BigInteger(), nullable=False),
        sa.Column("chat_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("business_connection_id", sa.Text(), nullable=False, server_default=""),
        sa.Column("guest_query_id", sa.Text(), nullable=False, server_default=""),
        sa.Column("thread_id", sa.BigInteger()),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("file_id", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text()),
        sa.Column("locale", sa.String(35), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("moved_to", sa.BigInteger()),
        sa.Column("answer_chat_id", sa.BigInteger(), sa.Computed("coalesce(moved_to, chat_id)", persisted=True)),
        *_of_note("telegram_messages", "note_id"),
        sa.UniqueConstraint(*MESSAGE_KEY, name="uq_telegram_messages_message"),
    )
    names = ", ".join(MESSAGE)
    op.execute(f"INSERT INTO telegram_messages (note_id, {names}) SELECT id, {names} FROM notes")  # noqa: S608 - made of this file's own words
    chat = ("bot_id", "answer_chat_id", "business_connection_id", "guest_query_id", "received_at", "note_id")
    op.create_index("ix_telegram_messages_chat", "telegram_messages", chat)
    moved = sa.text("moved_to IS NOT NULL")
    of_moved = ("bot_id", "moved_to", "chat_id")
    op.create_index(
        "ix_telegram_messages_moved", "telegram_messages", of_moved, sqlite_where=moved, postgresql_where=moved
    )


def _create_replies() -> None:
    """Rename the table, and let the status message of a note be its part 0 in every case."""
    op.create_table(
        "telegram_replies",
        sa.Column("note_id", sa.String(26), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("bot_id", sa.BigInteger(), nullable=False),
        sa.Column("chat_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        *_of_note("telegram_replies", "note_id", "run", "part"),
    )
    names = "note_id, run, part, bot_id, chat_id, message_id"
    op.execute(f"INSERT INTO telegram_replies ({names}) SELECT {names} FROM replies")  # noqa: S608 - as above
    op.execute(
        f"INSERT INTO telegram_replies ({names}) "  # noqa: S608 - as above
        "SELECT id, run, 0, bot_id, answer_chat_id, status_message_id FROM notes WHERE status_message_id IS NOT NULL "
        "ON CONFLICT (note_id, run, part) DO UPDATE SET chat_id = excluded.chat_id, message_id = excluded.message_id"
    )
    op.create_index("ix_telegram_replies_message", "telegram_replies", ["bot_id", "chat_id", "message_id"])
    op.drop_table("replies")


def _of_note(table: str, *key: str) -> Sequence[sa.schema.SchemaItem]:
    """Return the constraints of a table whose rows belong to notes."""
    to_note = sa.ForeignKeyConstraint(["note_id"], ["notes.id"], ondelete="CASCADE", name=f"fk_{table}_note_id")
    return [sa.PrimaryKeyConstraint(*key, name=f"pk_{table}"), to_note]


def _change_notes() -> None:
    for name in OLD_INDEXES:
        op.drop_index(name, "notes")
    op.add_column("notes", sa.Column("door", sa.Text()))
    op.add_column("notes", sa.Column("sound_key", sa.Text()))
    op.add_column("notes", sa.Column("request", sa.JSON()))
    op.execute(
        "UPDATE notes SET door = 'telegram:' || bot_id, sound_key = 'telegram:' || file_unique_id, "  # noqa: S608 - as above
        f"request = {REQUEST[op.get_bind().dialect.name]}"
    )
    with op.batch_alter_table("notes") as notes:
        notes.drop_constraint("uq_notes_message", type_="unique")
        for name in MOVED_OUT:
            notes.drop_column(name)
        for name, kind in (("door", sa.Text()), ("request", sa.JSON())):
            notes.alter_column(name, existing_type=kind, nullable=False)
    op.create_index("ix_notes_same_sound", "notes", ["sound_key", "options", "state", "id"])
    for name, columns in {
        "ix_notes_turn": ["door", "is_long", "tag"],
        "ix_notes_turn_of_account": ["door", "account", "is_long", "tag"],
    }.items():
        op.create_index(name, "notes", columns, sqlite_where=UNBEGUN, postgresql_where=UNBEGUN)
    with op.batch_alter_table("transcripts") as transcripts:
        transcripts.drop_column("text")


def _change_deliveries() -> None:
    op.drop_index("ix_deliveries_due", "deliveries")
    op.add_column("deliveries", sa.Column("door", sa.Text()))
    op.execute("UPDATE deliveries SET door = 'telegram:' || bot_id")
    with op.batch_alter_table("deliveries") as deliveries:
        deliveries.alter_column("door", existing_type=sa.Text(), nullable=False)
        deliveries.drop_column("bot_id")
    op.create_index("ix_deliveries_due", "deliveries", ["door", "state", "next_at"])


def _change_totals() -> None:
    counts = ", ".join(COUNTS)
    sums = ", ".join(f"sum({name})" for name in COUNTS)
    door = "'telegram:' || bot_id"
    op.create_table("usage", *_key("usage", ("door", sa.Text), ("account", sa.Text)), *map(_count, COUNTS))
    op.execute(
        f"INSERT INTO usage (door, account, {counts}) "  # noqa: S608 - as above
        f"SELECT {door}, 'telegram:' || user_id, {counts} FROM user_totals"
    )
    shard = _key("door_totals", ("door", sa.Text), ("shard", sa.Integer))
    op.create_table("door_totals", *shard, *map(_count, (*COUNTS, "accounts")))
    op.execute(
        f"INSERT INTO door_totals (door, shard, {counts}, accounts) "  # noqa: S608 - as above
        f"SELECT {door}, 0, {sums}, sum(users) FROM bot_totals GROUP BY bot_id"
    )
    chat = _key("telegram_chats", ("bot_id", sa.BigInteger), ("chat_id", sa.BigInteger))
    op.create_table("telegram_chats", *chat, _count("notes"))
    op.execute("INSERT INTO telegram_chats (bot_id, chat_id, notes) SELECT bot_id, chat_id, notes FROM chat_totals")
    for name in ("user_totals", "bot_totals", "chat_totals"):
        op.drop_table(name)


def _create_settings() -> None:
    key = _key("settings", ("account", sa.Text), ("name", lambda: sa.String(32)))
    op.create_table("settings", *key, sa.Column("value", sa.JSON(), nullable=False))


def _key(table: str, *columns: tuple[str, Kind]) -> Sequence[sa.schema.SchemaItem]:
    key = sa.PrimaryKeyConstraint(*(name for name, _ in columns), name=f"pk_{table}")
    return [*(sa.Column(name, kind(), nullable=False) for name, kind in columns), key]


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False, server_default="0")


def _amount(name: str, row: str) -> str:
    """Return what a row of `notes` adds to a column of the totals."""
    if name in STATES:
        return f"CASE WHEN {row}.state = '{name}' THEN 1 ELSE 0 END"
    seconds = f"{row}.{name.removesuffix('_ms')}_s"
    return f"CASE WHEN {row}.state = 'done' THEN CAST(round(coalesce({seconds}, 0) * 1000) AS BIGINT) ELSE 0 END"


def _create_triggers() -> None:
    changed = " OR ".join(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in ("state", "audio_s", "engine_s"))
    _trigger("notes_added", "INSERT", "notes", _totals("NEW", "{new}"))
    _trigger("notes_changed", "UPDATE", "notes", _totals("NEW", "({new}) - ({old})"), when=changed)
    _trigger("notes_deleted", "DELETE", "notes", [*_totals("OLD", "-({old})"), _without_notes()])
    _trigger("accounts_added", "INSERT", "usage", [_accounts("NEW", 1)])
    _trigger("accounts_deleted", "DELETE", "usage", [_accounts("OLD", -1)])
    moves = [_chat("OLD", -1), _chat("NEW", 1)]
    _trigger("messages_added", "INSERT", "telegram_messages", [_chat("NEW", 1)])
    _trigger("messages_moved", "UPDATE", "telegram_messages", moves, when="OLD.moved_to IS DISTINCT FROM NEW.moved_to")
    _trigger("messages_deleted", "DELETE", "telegram_messages", [_chat("OLD", -1), _empty_chat()])


def _trigger(name: str, event: str, table: str, statements: Sequence[str], *, when: str = "") -> None:
    body = " ".join(f"{statement};" for statement in statements)
    if _is_sqlite():
        condition = f"WHEN {when.replace('IS DISTINCT FROM', 'IS NOT')}" if when else ""
        op.execute(f"CREATE TRIGGER {name} AFTER {event} ON {table} FOR EACH ROW {condition} BEGIN {body} END")
        return
    condition = f"WHEN ({when})" if when else ""
    op.execute(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NULL; END $$")
    op.execute(f"CREATE TRIGGER {name} AFTER {event} ON {table} FOR EACH ROW {condition} EXECUTE FUNCTION {name}()")


def _totals(row: str, difference: str) -> list[str]:
    """Return the statements that add the difference of a note to the totals of its account and its door."""
    amounts = {name: difference.format(new=_amount(name, "NEW"), old=_amount(name, "OLD")) for name in COUNTS}
    door = f"{row}.door"
    of_account = {"door": door, "account": f"{row}.account"}
    return [_add("usage", of_account, amounts), _add("door_totals", {"door": door, "shard": _shard()}, amounts)]


def _accounts(row: str, amount: int) -> str:
    return _add("door_totals", {"door": f"{row}.door", "shard": _shard()}, {"accounts": str(amount)})


def _without_notes() -> str:
    """Return the statement that deletes the totals of an account that has no notes any more."""
    nothing = " AND ".join(f"{state} = 0" for state in STATES)
    return f"DELETE FROM usage WHERE door = OLD.door AND account = OLD.account AND {nothing}"  # noqa: S608 - as above


def _chat(row: str, amount: int) -> str:
    """Return the statement that counts a note in its chat; those of business connections and guests are not shown."""
    own = f"{row}.business_connection_id = '' AND {row}.guest_query_id = ''"
    key = {"bot_id": f"{row}.bot_id", "chat_id": f"coalesce({row}.moved_to, {row}.chat_id)"}
    return _add("telegram_chats", key, {"notes": f"CASE WHEN {own} THEN {amount} ELSE 0 END"})


def _empty_chat() -> str:
    chat = "bot_id = OLD.bot_id AND chat_id = coalesce(OLD.moved_to, OLD.chat_id)"
    return f"DELETE FROM telegram_chats WHERE {chat} AND notes = 0"  # noqa: S608 - as above


def _add(table: str, key: dict[str, str], amounts: dict[str, str]) -> str:
    names = ", ".join((*key, *amounts))
    values = ", ".join((*key.values(), *amounts.values()))
    sums = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in amounts)
    return f"INSERT INTO {table} ({names}) VALUES ({values}) ON CONFLICT ({', '.join(key)}) DO UPDATE SET {sums}"  # noqa: S608 - as above


def _shard() -> str:
    return "0" if _is_sqlite() else f"pg_backend_pid() % {SHARDS}"


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"
