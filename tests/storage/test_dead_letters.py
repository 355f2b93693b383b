import json
from dataclasses import replace

import pytest
from sqlalchemy import select

from storage.database import Database
from storage.tables import dead_letters
from storage.telegram.ledger import TelegramLedger
from storage.telegram.message import IncomingMessage, storable
from storage.telegram.tables import LOCALE_LENGTH
from tests.storage.samples import incoming, record

NUL, SURROGATE = "a\0b", "a\ud800b"


@pytest.mark.parametrize(
    ("received", "stored"),
    [
        ({"file_name": NUL}, {"file_name": "a\ufffdb"}),
        ({"file_name": SURROGATE}, {"file_name": "a\ufffdb"}),
        ({"file_id": SURROGATE, "file_unique_id": NUL}, {"file_id": "a\ufffdb", "sound_key": "telegram:a\ufffdb"}),
        ({"claimed_bytes": 2**63, "thread_id": 2**70}, {"claimed_bytes": None, "thread_id": None}),
        ({"claimed_s": 2**63}, {"claimed_s": None}),
        ({"claimed_s": float("nan")}, {"claimed_s": None}),
        ({"locale": "x" * (LOCALE_LENGTH + 1)}, {"locale": "x" * LOCALE_LENGTH}),
    ],
)
async def test_what_was_cleaned_is_stored_by_every_database(
    ledger: TelegramLedger, received: dict[str, object], stored: dict[str, object]
) -> None:
    note, is_new = await record(ledger, storable(replace(incoming(), **received)))  # type: ignore[arg-type]  # on purpose
    assert is_new
    assert {name: getattr(note, name) for name in stored} == stored


def test_what_can_be_stored_stays_as_it_is() -> None:
    ordinary: IncomingMessage = replace(incoming(), file_name="Besprechung 会议 🎤.ogg", locale="zh-hans", thread_id=7)
    assert storable(ordinary) == ordinary


async def test_whatever_could_not_be_recorded_is_kept_once(ledger: TelegramLedger, database: Database) -> None:
    body = {"chat": 2**80, "name": f"{NUL} {SURROGATE}"}
    for _ in range(2):
        await ledger.keep_dead_letter("telegram", "42:1", body, f"too large {SURROGATE} {NUL}")
    await ledger.keep_dead_letter("telegram", "42:2", {}, "other")
    assert await ledger.count_dead_letters() == 2
    async with database.reading() as connection:
        row = (await connection.execute(select(dead_letters).where(dead_letters.c.key == "42:1"))).one()
    assert json.loads(row.body) == body
    assert row.reason == "too large a\ufffdb a\ufffdb"
