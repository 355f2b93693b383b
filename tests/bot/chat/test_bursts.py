"""Many notes at once, where Telegram counts as strictly as it may. Its minute is short here."""

from collections.abc import AsyncIterator

import pytest

from bot.config.settings import Settings
from bot.playground import rate_limits
from bot.playground.rate_limits import Limits
from bot.playground.server import Playground
from bot.telegram.rate_budget import DEFAULT_WINDOWS, RateWindow, RateWindows
from storage.note import State
from tests.bot.conftest import House, open_house, sound

A_MINUTE = 24  # more than a group bears in one
MINUTE_S = 0.8
TRAVEL_S = 0.7  # bot, worker and Telegram share one process here, and whatever keeps it busy
STRICT = Limits(chat_per_s=30, chat_burst=12)
BORNE = RateWindows(chat=RateWindow(3, 0.1), group=RateWindow(20, MINUTE_S + TRAVEL_S), all=DEFAULT_WINDOWS.all)


@pytest.fixture
async def strict_house(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """A house before a Telegram that bears little."""
    monkeypatch.setattr(rate_limits, "MINUTE_S", MINUTE_S)
    telegram = Playground(limits=STRICT)
    await telegram.start()
    async with open_house(settings, telegram, BORNE) as house:
        yield house
    await telegram.stop()
    assert telegram.violations == []


@pytest.mark.parametrize("number", [A_MINUTE, pytest.param(40, marks=pytest.mark.slow)])
async def test_a_burst_in_a_group_is_answered_in_full_without_a_flood(strict_house: House, number: int) -> None:
    ada = strict_house.person()
    group = strict_house.playground.group(-5, members=(ada,))
    notes = [strict_house.playground.send_voice(group, ada, sound(seed)) for seed in range(number)]
    await strict_house.start_worker()
    for note in notes:
        assert (await strict_house.delivered(note)).state is State.DONE
    assert len([text for text in strict_house.texts(group) if text.startswith("fake ")]) == number
    assert strict_house.playground.floods == []
