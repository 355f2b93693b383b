"""Fills a ledger with notes that are done, quickly: inside the database, without triggers, counting afterwards.

The spread is one of a busy bot: 5,000 people; a tenth of all notes in one group, the rest in 1,000 chats; one in a
hundred is a recording that everybody sends around.
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from tests.storage.samples import BOT, DOOR, transcript

GROUP = -100
POPULAR = "popular"
OPTIONS = "o"
STORE = "folder"
BATCH = 20_000  # notes in a statement, which PostgreSQL is given some seconds for
COUNTS = ("queued", "processing", "done", "failed", "cancelled")

_NUMBERS = {
    "sqlite": "WITH RECURSIVE numbers(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM numbers WHERE i < {last}) ",
    "postgresql": "WITH numbers(i) AS (SELECT generate_series({first}, {last})) ",
}
_ID = {"sqlite": "printf('00%024d', i)", "postgresql": "'00' || lpad(CAST(i AS text), 24, '0')"}
_MOMENT = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f', 1767225600 + i, 'unixepoch') || '000'",
    "postgresql": "to_timestamp(1767225600 + i)",
}
_CHAT = f"CASE WHEN i % 10 = 0 THEN {GROUP} ELSE 1 + i % 1000 END"
_MESSAGE = {
    "bot_id": str(BOT),
    "chat_id": _CHAT,
    "message_id": "2 * i",
    "user_id": "i % 5000",
    "kind": "'voice'",
    "file_id": "'file'",
    "locale": "'en'",
}
_PLAIN = {
    "door": f"'{DOOR}'",
    "account": "'telegram:' || CAST(i % 5000 AS text)",
    "sound_key": f"'telegram:' || CASE WHEN i % 100 = 0 THEN '{POPULAR}' ELSE 'file-' || CAST(i AS text) END",
    "claimed_s": "20.0",
    "request": "'{}'",
    "state": "'done'",
    "fence": "1",
    "tries": "1",
    "run": "0",
    "options": f"'{OPTIONS}'",
    "audio_s": "20.0",
    "engine_s": "2.0",
    "model": "'fake'",
    "digest": f"CASE WHEN i % 100 = 0 THEN '{POPULAR}' ELSE 'digest-' || CAST(i AS text) END",
    "preview": "'hello there'",
}


async def fill(database: Database, count: int) -> None:
    """Write `count` notes that are done and delivered, each with its transcript, a status message and two files."""
    async with database.writing() as connection:
        triggers = await _without_triggers(connection)
        for first in range(1, count + 1, BATCH):
            await _insert(connection, first, min(first + BATCH - 1, count))
        await _count(connection)
        for trigger in triggers:
            await connection.exec_driver_sql(trigger)
    async with database.reading() as connection:
        if connection.dialect.name == "postgresql":
            await connection.execute(text("ANALYZE"))


async def _insert(connection: AsyncConnection, first: int, last: int) -> None:
    kind = connection.dialect.name
    numbers, note_id = _NUMBERS[kind].format(first=first, last=last), _ID[kind]
    moments = dict.fromkeys(("received_at", "queued_at", "started_at", "finished_at", "delivered_at"), _MOMENT[kind])
    said = transcript().to_json().replace("'", "''").replace(":", r"\:")
    status_message = {"run": "0", "part": "0", "bot_id": str(BOT), "chat_id": _CHAT, "message_id": "2 * i + 1"}
    delivery = {"run": "0", "door": f"'{DOOR}'", "state": "'delivered'", "attempts": "0"}
    stored = {"store": f"'{STORE}'", "attempts": "1", "bytes": "12", "sha256": "''"}
    file_moments = dict.fromkeys(("created_at", "stored_at", "next_at"), _MOMENT[kind])
    expiry = _MOMENT[kind].replace("1767225600", "4102444800")
    tables = [
        ("notes", {"id": note_id, **_PLAIN, **moments}),
        ("transcripts", {"note_id": note_id, "transcript": f"'{said}'"}),
        ("deliveries", {"note_id": note_id, **delivery, "next_at": _MOMENT[kind]}),
        ("telegram_messages", {"note_id": note_id, **_MESSAGE, "received_at": _MOMENT[kind]}),
        ("telegram_replies", {"note_id": note_id, **status_message}),
        ("settings", {"account": "'another:' || CAST(i AS text)", "name": "'language'", "value": "'\"de\"'"}),
        ("telegram_people", {"bot_id": _MESSAGE["bot_id"], "user_id": "1000000 + i", "role": "'user'"}),
        (
            "telegram_links",
            {
                "code_hash": "'hash ' || CAST(i AS text)",
                "bot_id": _MESSAGE["bot_id"],
                "role": "'user'",
                "expires_at": _MOMENT[kind],
            },
        ),
    ]
    for text_format in ("txt", "vtt"):
        own = {"note_id": note_id, "kind": f"'{text_format}'", "key": f"'note.{text_format}'", "expires_at": expiry}
        tables.append(("artefacts", {**own, **stored, **file_moments}))
    for table, columns in tables:
        values = f"{numbers} SELECT {', '.join(columns.values())} FROM numbers"  # noqa: S608 - this file's own words
        await connection.execute(text(f"INSERT INTO {table} ({', '.join(columns)}) {values}"))


async def _without_triggers(connection: AsyncConnection) -> list[str]:
    """Switch the triggers on new notes off, and return the statements that bring them back."""
    tables = ("notes", "telegram_messages")
    if connection.dialect.name == "postgresql":
        for table in tables:
            await connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        return [f"ALTER TABLE {table} ENABLE TRIGGER USER" for table in tables]
    made = f"SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN {tables}"  # noqa: S608 - this file's own words
    found = (await connection.execute(text(made))).all()
    for trigger in found:
        await connection.execute(text(f"DROP TRIGGER {trigger.name}"))
    return [trigger.sql for trigger in found]


async def _count(connection: AsyncConnection) -> None:
    """Add the notes to the totals; the number of accounts is kept by a trigger of its own."""
    sums = "count(*), 20000 * count(*), 2000 * count(*)"
    names = "done, audio_ms, engine_ms"
    total = f"SELECT {sums} FROM notes"  # noqa: S608 - as above
    one = "(SELECT min(shard) FROM door_totals)"
    for statement in (
        f"INSERT INTO usage (door, account, {names}) SELECT door, account, {sums} FROM notes GROUP BY door, account",  # noqa: S608 - as above
        (
            "INSERT INTO telegram_chats (bot_id, chat_id, notes) "
            "SELECT bot_id, answer_chat_id, count(*) FROM telegram_messages GROUP BY bot_id, answer_chat_id"
        ),
        f"UPDATE door_totals SET ({names}) = ({total}) WHERE shard = {one}",  # noqa: S608 - as above
    ):
        await connection.execute(text(statement))
