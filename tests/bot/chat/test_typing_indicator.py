"""“typing…” while a recording is transcribed."""

import asyncio

from structlog.testing import capture_logs

from bot.chat.typing_indicator import INTERVAL_S, TypingIndicator
from tests.bot.chat.test_delivery import waiting
from tests.bot.conftest import House, until


async def test_progress_shows_that_the_bot_is_typing(house: House) -> None:
    door, note = await waiting(house)
    claimed = await house.ledger.claim(note.id, "me")
    assert claimed is not None
    await door.look_up(claimed)
    await door.progress(claimed, 0.5)
    await until(lambda: [action.action for action in house.playground.state.actions] == ["typing"])


async def test_it_is_shown_anew_when_telegram_stops_showing_it_and_not_before(house: House) -> None:
    _, note = await waiting(house)
    now = 0.0
    typing = TypingIndicator(house.bot, clock=lambda: now)
    for moment in (0.0, INTERVAL_S - 0.1, INTERVAL_S + 0.1):
        now = moment
        typing.show(note)
    await until(lambda: len(house.playground.state.actions) == 2)


async def test_a_chat_that_refuses_it_goes_without(house: House) -> None:
    _, note = await waiting(house)
    house.playground.fail_next("sendChatAction", code=403, description="Forbidden: bot was blocked by the user")
    with capture_logs() as logs:
        TypingIndicator(house.bot).show(note)
        await until(lambda: [r.status for r in house.playground.requests if r.method == "sendChatAction"] == [403])
        await asyncio.sleep(0.1)
    assert [line for line in logs if line["log_level"] == "error"] == []
