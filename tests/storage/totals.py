"""What the totals that are kept have to be: the notes, counted anew."""

from collections import Counter

from sqlalchemy import RowMapping, select

from storage.database import Database
from storage.tables import bot_totals, chat_totals, notes, user_totals

NAMES = ("queued", "processing", "done", "failed", "cancelled", "audio_ms", "engine_ms")


async def assert_totals_are_right(database: Database) -> None:
    """Compare the totals of people, bots and chats with the notes that there are."""
    people: dict[tuple[int, int], Counter[str]] = {}
    bots: dict[int, Counter[str]] = {}
    chats: Counter[tuple[int, int]] = Counter()
    async with database.reading() as connection:
        for note in (await connection.execute(select(notes))).mappings():
            counted = {note["state"]: 1}
            if note["state"] == "done":
                counted |= {f"{name}_ms": round((note[f"{name}_s"] or 0) * 1000) for name in ("audio", "engine")}
            people.setdefault((note["bot_id"], note["user_id"]), Counter()).update(counted)
            bots.setdefault(note["bot_id"], Counter()).update(counted)
            if not note["business_connection_id"] and not note["guest_query_id"]:
                chats[note["bot_id"], note["moved_to"] or note["chat_id"]] += 1
        kept = {
            (row["bot_id"], row["user_id"]): _of(row)
            for row in (await connection.execute(select(user_totals))).mappings()
        }
        kept_bots: dict[int, Counter[str]] = {}
        for row in (await connection.execute(select(bot_totals))).mappings():
            kept_bots.setdefault(row["bot_id"], Counter()).update({**_of(row), "users": row["users"]})
        kept_chats = {
            (row["bot_id"], row["chat_id"]): row["notes"]
            for row in (await connection.execute(select(chat_totals))).mappings()
            if row["notes"]
        }
    for bot, counted in bots.items():
        counted["users"] = sum(of == bot for of, _ in people)
    assert kept == {who: {name: counted[name] for name in NAMES} for who, counted in people.items()}
    assert {bot: +counted for bot, counted in kept_bots.items() if +counted} == {bot: +of for bot, of in bots.items()}
    assert kept_chats == chats


def _of(row: RowMapping) -> dict[str, int]:
    return {name: row[name] for name in NAMES}
