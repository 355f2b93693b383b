"""Telegram goes away while notes wait to be fetched, run, and wait to be delivered."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from tests.end_to_end.installation import Installation, installed, running
from tests.end_to_end.outages import LONG_S, SLOW_FAKE, outlived

pytestmark = pytest.mark.asyncio(loop_scope="module")

AWAY_S = LONG_S  # long enough for the note that runs to be done, and to be delivered in vain


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """Earshot at work."""
    async with installed(tmp_path_factory.mktemp("place"), **SLOW_FAKE) as prepared, running(prepared) as at_work:
        yield at_work


async def test_notes_outlive_a_telegram_that_refuses_connections(place: Installation) -> None:
    async with outlived(place) as talk:
        port = urlsplit(place.playground.url).port or 0
        await place.playground.stop()
        talk.speak()
        await asyncio.sleep(AWAY_S)
        await place.playground.start(port)


async def test_notes_outlive_a_telegram_that_freezes(place: Installation) -> None:
    async with outlived(place) as talk:
        place.playground.pause()
        talk.speak()
        await asyncio.sleep(AWAY_S)
        place.playground.resume()
