"""What the totals that are kept have to be: the notes, counted anew."""

from collections import Counter

from sqlalchemy import RowMapping, select

from storage.database import Database
from storage.tables import door_totals, notes, usage
from storage.telegram.tables import telegram_chats, telegram_messages

NAMES = ("queued", "processing", "done", "failed", "cancelled", "audio_ms", "engine_ms")


async def assert_totals_are_right(database: Database) -> None:
    """Compare the totals of accounts, doors and chats with the notes that there are."""
    accounts: dict[tuple[str, str], Counter[str]] = {}
    doors: dict[str, Counter[str]] = {}
    chats: Counter[tuple[int, int]] = Counter()
    async with database.reading() as connection:
        for note in (await connection.execute(select(notes))).mappings():
            counted = {note["state"]: 1}
            if note["state"] == "done":
                counted |= {f"{name}_ms": round((note[f"{name}_s"] or 0) * 1000) for name in ("audio", "engine")}
            accounts.setdefault((note["door"], note["account"]), Counter()).update(counted)
            doors.setdefault(note["door"], Counter()).update(counted)
        for message in (await connection.execute(select(telegram_messages))).mappings():
            if not message["business_connection_id"] and not message["guest_query_id"]:
                chats[message["bot_id"], message["moved_to"] or message["chat_id"]] += 1
        kept = {(row["door"], row["account"]): _of(row) for row in (await connection.execute(select(usage))).mappings()}
        kept_doors: dict[str, Counter[str]] = {}
        for row in (await connection.execute(select(door_totals))).mappings():
            kept_doors.setdefault(row["door"], Counter()).update({**_of(row), "accounts": row["accounts"]})
        kept_chats = {
            (row["bot_id"], row["chat_id"]): row["notes"]
            for row in (await connection.execute(select(telegram_chats))).mappings()
            if row["notes"]
        }
    for door, counted in doors.items():
        counted["accounts"] = sum(of == door for of, _ in accounts)
    assert kept == {who: {name: counted[name] for name in NAMES} for who, counted in accounts.items()}
    assert {door: +of for door, of in kept_doors.items() if +of} == {door: +of for door, of in doors.items()}
    assert kept_chats == chats


def _of(row: RowMapping) -> dict[str, int]:
    return {name: row[name] for name in NAMES}
