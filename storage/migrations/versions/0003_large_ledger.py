"""Longer ids, keys for business connections and guest queries, indexes for a million notes, and totals by triggers."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

STATES = ("queued", "processing", "done", "failed", "cancelled")
COUNTS = (*STATES, "audio_ms", "engine_ms")
NOTE_ID = sa.String(26)
SHARDS = 16
UNSETTLED = "delivered_at IS NULL AND undeliverable IS NULL"
INDEXES: dict[str, tuple[Sequence[str], str | None]] = {
    "ix_notes_same_file": (("file_unique_id", "options", "state", "id"), None),
    "ix_notes_same_digest": (("digest", "options", "state", "id"), None),
    "ix_notes_chat": (
        ("bot_id", "answer_chat_id", "business_connection_id", "guest_query_id", "received_at", "id"),
        None,
    ),
    "ix_notes_received": (("received_at", "id"), None),
    "ix_notes_unsettled": (("id",), UNSETTLED),
    "ix_notes_unsettled_chat": (("bot_id", "chat_id", "queued_at"), UNSETTLED),
    "ix_notes_queued": (("queued_at",), "state = 'queued'"),
    "ix_notes_measured": (("finished_at",), "state = 'done' AND engine_s > 0"),
    "ix_notes_moved": (("bot_id", "moved_to", "chat_id"), "moved_to IS NOT NULL"),
}


def upgrade() -> None:
    """Change the tables; existing notes keep their ids and all values."""
    _change_notes()
    _lengthen_note_ids()
    _create_indexes()
    _create_totals()
    _fill_totals()
    _create_triggers()


def _change_notes() -> None:
    for name in ("ix_notes_file", "ix_notes_digest", "ix_notes_state", "ix_notes_moved", "ix_notes_undelivered"):
        op.drop_index(name, "notes")
    with op.batch_alter_table("notes") as notes:
        notes.alter_column("id", type_=NOTE_ID, existing_type=sa.String(16), existing_nullable=False)
        notes.add_column(sa.Column("business_connection_id", sa.Text(), nullable=False, server_default=""))
        notes.add_column(sa.Column("guest_query_id", sa.Text(), nullable=False, server_default=""))
        answer_chat = sa.Computed("coalesce(moved_to, chat_id)", persisted=True)
        notes.add_column(sa.Column("answer_chat_id", sa.BigInteger(), answer_chat))
        notes.drop_constraint("uq_notes_bot_id_chat_id_message_id", type_="unique")
        key = ["bot_id", "chat_id", "message_id", "business_connection_id", "guest_query_id"]
        notes.create_unique_constraint("uq_notes_message", key)


def _lengthen_note_ids() -> None:
    for table in ("transcripts", "replies"):
        with op.batch_alter_table(table) as changed:
            changed.alter_column("note_id", type_=NOTE_ID, existing_type=sa.String(16), existing_nullable=False)


def _create_indexes() -> None:
    for name, (columns, condition) in INDEXES.items():
        where = None if condition is None else sa.text(condition)
        op.create_index(name, "notes", list(columns), sqlite_where=where, postgresql_where=where)


def _create_totals() -> None:
    op.create_table("user_totals", *_key("user_totals", "user_id", sa.BigInteger()), *map(_count, COUNTS))
    op.create_table("bot_totals", *_key("bot_totals", "shard", sa.Integer()), *map(_count, (*COUNTS, "users")))
    op.create_table("chat_totals", *_key("chat_totals", "chat_id", sa.BigInteger()), _count("notes"))


def _key(table: str, second: str, kind: sa.types.TypeEngine[int]) -> Sequence[sa.schema.SchemaItem]:
    return (
        sa.Column("bot_id", sa.BigInteger(), nullable=False),
        sa.Column(second, kind, nullable=False),
        sa.PrimaryKeyConstraint("bot_id", second, name=f"pk_{table}"),
    )


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False, server_default="0")


def _fill_totals() -> None:
    names = ", ".join(COUNTS)
    sums = ", ".join(f"sum({_amount(name, 'notes')})" for name in COUNTS)
    op.execute(
        f"INSERT INTO user_totals (bot_id, user_id, {names}) SELECT bot_id, user_id, {sums} FROM notes "  # noqa: S608 - made of this file's own words
        "GROUP BY bot_id, user_id"
    )
    op.execute(
        f"INSERT INTO bot_totals (bot_id, shard, {names}, users) "  # noqa: S608 - as above
        f"SELECT bot_id, 0, {', '.join(f'sum({name})' for name in COUNTS)}, count(*) FROM user_totals GROUP BY bot_id"
    )
    op.execute(
        "INSERT INTO chat_totals (bot_id, chat_id, notes) SELECT bot_id, answer_chat_id, count(*) FROM notes "
        "GROUP BY bot_id, answer_chat_id"
    )


def _amount(name: str, row: str) -> str:
    """Return what a row of `notes` adds to a column of the totals."""
    if name in STATES:
        return f"CASE WHEN {row}.state = '{name}' THEN 1 ELSE 0 END"
    seconds = f"{row}.{name.removesuffix('_ms')}_s"
    return f"CASE WHEN {row}.state = 'done' THEN CAST(round(coalesce({seconds}, 0) * 1000) AS BIGINT) ELSE 0 END"


def _create_triggers() -> None:
    changed = " OR ".join(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in ("state", "audio_s", "engine_s"))
    _trigger("notes_added", "INSERT", "notes", _totals("NEW", "{new}") + _chat_total("NEW", 1))
    _trigger("notes_changed", "UPDATE", "notes", _totals("NEW", "({new}) - ({old})"), when=changed)
    moves = _chat_total("OLD", -1) + _chat_total("NEW", 1)
    _trigger("notes_moved", "UPDATE", "notes", moves, when="OLD.moved_to IS DISTINCT FROM NEW.moved_to")
    _trigger("notes_deleted", "DELETE", "notes", _totals("OLD", "-({old})") + _chat_total("OLD", -1) + _without_notes())
    _trigger("users_added", "INSERT", "user_totals", _users("NEW", 1))
    _trigger("users_deleted", "DELETE", "user_totals", _users("OLD", -1))


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
    """Return the statements that add the difference of a note to the totals of its user and its bot."""
    amounts = {name: difference.format(new=_amount(name, "NEW"), old=_amount(name, "OLD")) for name in COUNTS}
    keys = {"user_totals": ("user_id", f"{row}.user_id"), "bot_totals": ("shard", _shard())}
    return [_add(table, row, *key, amounts) for table, key in keys.items()]


def _chat_total(row: str, amount: int) -> list[str]:
    """Return the statement that counts a note in its chat; those of business connections and guests are not shown."""
    own = f"{row}.business_connection_id = '' AND {row}.guest_query_id = ''"
    counted = f"CASE WHEN {own} THEN {amount} ELSE 0 END"
    return [_add("chat_totals", row, "chat_id", f"coalesce({row}.moved_to, {row}.chat_id)", {"notes": counted})]


def _users(row: str, amount: int) -> list[str]:
    return [_add("bot_totals", row, "shard", _shard(), {"users": str(amount)})]


def _without_notes() -> list[str]:
    """Return the statements that delete the totals of a user and of a chat that have no notes any more."""
    user = "bot_id = OLD.bot_id AND user_id = OLD.user_id"
    chat = "bot_id = OLD.bot_id AND chat_id = coalesce(OLD.moved_to, OLD.chat_id)"
    nothing = " AND ".join(f"{state} = 0" for state in STATES)
    users = f"DELETE FROM user_totals WHERE {user} AND {nothing}"  # noqa: S608 - as above
    chats = f"DELETE FROM chat_totals WHERE {chat} AND notes = 0"  # noqa: S608 - as above
    return [users, chats]


def _add(table: str, row: str, key: str, value: str, amounts: dict[str, str]) -> str:
    names = f"bot_id, {key}, {', '.join(amounts)}"
    values = f"{row}.bot_id, {value}, {', '.join(amounts.values())}"
    sums = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in amounts)
    return f"INSERT INTO {table} ({names}) VALUES ({values}) ON CONFLICT (bot_id, {key}) DO UPDATE SET {sums}"  # noqa: S608 - as above


def _shard() -> str:
    return "0" if _is_sqlite() else f"pg_backend_pid() % {SHARDS}"


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"
