"""Updates that can never become a note are kept before Telegram hears that they arrived, and stop no other."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr
from sqlalchemy import select, text
from structlog.testing import capture_logs

from bot.config.settings import AccessSettings, Settings
from bot.playground.server import Playground
from engine import Fault
from storage.ledger import Ledger
from storage.tables import dead_letters
from tests.bot.conftest import ADA, ROOT, House, awaited, open_house

TOO_LARGE = 2**63


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"access": AccessSettings(open=True, admins=frozenset({ROOT}))})


async def kept(ledger: Ledger, count: int) -> list[dict[str, Any]]:
    async def all_there() -> bool:
        return await ledger.count_dead_letters() >= count

    await awaited(all_there)
    async with ledger._database.reading() as connection:  # noqa: SLF001 - nothing else reads them
        return [row._asdict() for row in await connection.execute(select(dead_letters))]


async def test_a_note_whose_ids_no_database_can_hold_is_kept_and_stops_no_other(house: House) -> None:
    await house.start_worker()
    house.speak(1, id=TOO_LARGE)
    (letter,) = await kept(house.ledger, 1)
    assert json.loads(letter["body"])["message"]["from"]["id"] == TOO_LARGE
    assert letter["reason"]
    await house.answered(house.speak(2))
    assert await house.ledger.count_dead_letters() == 1


async def test_who_sent_what_could_not_be_taken_in_is_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Ledger, "submit", fail)
    house.speak(1)
    await house.hear(Fault.sentence)
    (letter,) = await kept(house.ledger, 1)
    assert letter["reason"] == "ZeroDivisionError()"


async def test_an_update_that_cannot_be_read_is_kept_as_it_came(house: House) -> None:
    number = house.playground.send_malformed_update()
    (letter,) = await kept(house.ledger, 1)
    assert letter["key"] == f"{house.bot.id}:{number}"
    assert json.loads(letter["body"])["message"]["message_id"] == "no number"


async def test_admins_see_how_many_updates_could_not_be_taken_in(house: House) -> None:
    house.playground.send_malformed_update()
    await kept(house.ledger, 1)
    house.say("/queue", id=ROOT)
    await house.hear("Could not be taken in: 1")


async def test_a_name_and_a_language_that_no_database_can_hold_cost_no_note(house: House) -> None:
    await house.start_worker()
    house.person(ADA, language="de-" + "x" * 40)
    note = house.speak(3, kind="audio", file_name="a\ud800b\0.ogg")
    await house.answered(note)
    assert (await house.note_of(note)).file_name == "a\ufffdb\ufffd.ogg"
    other = await house.note_of(house.speak(4, kind="audio", file_name="a\0b.ogg"))
    assert (other.file_name, len(other.locale)) == ("a\ufffdb.ogg", 35)
    assert await house.ledger.count_dead_letters() == 0


async def test_tables_that_a_newer_process_changed_cost_no_note(house: House) -> None:
    async with house.ledger._database.writing() as connection:  # noqa: SLF001 - as a newer process would
        await connection.execute(text("ALTER TABLE telegram_messages RENAME COLUMN file_name TO name"))
    with capture_logs() as logs:
        note = house.speak(4)
        await awaited(lambda: _told(logs, "Update this program"))
        await asyncio.sleep(1)
    async with house.ledger._database.writing() as connection:  # noqa: SLF001 - and the other way round
        await connection.execute(text("ALTER TABLE telegram_messages RENAME COLUMN name TO file_name"))
    await house.start_worker()
    await house.answered(note)
    assert await house.ledger.count_dead_letters() == 0


async def _told(logs: list[Any], words: str) -> bool:
    return any(words in str(line.get("error", "")) for line in logs)


async def test_an_unreadable_update_by_webhook_is_kept_and_acknowledged(
    settings: Settings, playground: Playground, unused_tcp_port: int
) -> None:
    telegram = settings.telegram.model_copy(
        update={
            "mode": "webhook",
            "webhook_url": f"http://127.0.0.1:{unused_tcp_port}/hook",
            "webhook_listen": f"127.0.0.1:{unused_tcp_port}",
            "webhook_secret": SecretStr("secret"),
        }
    )
    async with open_house(settings.model_copy(update={"telegram": telegram}), playground) as house:
        playground.send_malformed_update()
        (letter,) = await kept(house.ledger, 1)
        assert json.loads(letter["body"])["message"]["message_id"] == "no number"
        headers = {"X-Telegram-Bot-Api-Secret-Token": "secret"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(telegram.webhook_url, data=b"{no json") as answer,
        ):
            assert answer.status == 200
