"""The link that makes somebody the admin of a bot that has none."""

import re
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from bot.config.settings import AccessSettings, Settings
from bot.playground.server import Playground
from tests.bot.conftest import ADA, BOB, House, open_house, until

EVE = 5


@pytest.fixture
async def offered(settings: Settings, playground: Playground) -> AsyncIterator[tuple[House, str]]:
    """A closed bot without an admin, and the code in the link that its log names."""
    nobody = settings.model_copy(update={"access": AccessSettings(users=frozenset({BOB}))})
    with capture_logs() as logs:
        async with open_house(nobody, playground) as house:
            await until(lambda: any(line["event"] == "no_admin" for line in logs))
            (link,) = [line["link"] for line in logs if line["event"] == "no_admin"]
            found = re.fullmatch(r"https://t\.me/earshot_bot\?start=([A-Za-z0-9_-]{40,64})", link)
            assert found is not None
            yield house, found[1]


async def test_whoever_opens_the_link_first_is_the_admin_from_then_on(offered: tuple[House, str]) -> None:
    house, code = offered
    house.say(f"/start {code}")
    await house.hear("You are the admin of this bot now.")
    house.say("/queue")
    await house.hear("Queued: 0")
    house.speak(1)
    await house.hear("In the queue")
    house.say(f"/start {code}", id=EVE)
    await house.hear("This link was used already")
    house.say("/queue", id=EVE)
    await house.hear("This is a private bot.")
    assert [line for line in house.texts(house.chat(EVE)) if "admin" in line] == []


async def test_a_wrong_code_is_answered_with_one_sentence_and_changes_nothing(offered: tuple[House, str]) -> None:
    house, code = offered
    house.say("/start wrong", id=EVE)
    await house.hear("This link was used already, or it is not valid.")
    house.say(f"/start {code}", id=BOB)
    await house.hear("You are the admin of this bot now.")


async def test_where_the_settings_name_an_admin_there_is_no_link(settings: Settings, playground: Playground) -> None:
    with capture_logs() as logs:
        async with open_house(settings, playground) as house:
            house.say("/help", id=ADA)
            await house.hear("/start: ")
    assert [line for line in logs if line["event"] == "no_admin"] == []
