"""The line to the Bot API."""

import asyncio
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiogram import Bot
from aiogram.exceptions import ClientDecodeError, TelegramNetworkError, TelegramRetryAfter, TelegramServerError
from pydantic import SecretStr

from bot.config.settings import Settings, TelegramSettings
from bot.playground.server import Playground
from bot.process.connections import open_redis
from bot.telegram.client import make_bot, open_bot
from bot.telegram.errors import TokenMissing
from bot.telegram.rate_budget import RateWindow, RateWindows
from bot.telegram.request_policy import at_least_once, low_priority_once, total_timeout
from tests.bot.conftest import PATIENT_WINDOWS, awaited, running_redis

TOKEN = "42:playground"  # noqa: S105 - opens nothing but the stand-in


@pytest.fixture
async def bot(playground: Playground) -> AsyncIterator[Bot]:
    """A bot in a chat with Ada."""
    playground.private_chat(playground.user(1))
    made = make_bot(TelegramSettings(token=SecretStr(TOKEN), api_base=playground.url))
    yield made
    await made.session.close()


def texts(playground: Playground) -> list[str | None]:
    return [message.text for message in playground.messages(playground.private_chat(playground.user(1)))]


def count(playground: Playground, method: str) -> int:
    return [request.method for request in playground.requests].count(method)


def test_without_a_token_it_is_said_where_to_get_one() -> None:
    with pytest.raises(TokenMissing, match="@BotFather"):
        make_bot(TelegramSettings())


IN_DOUBT: list[dict[str, Any]] = [{"code": 500}, {"code": 502}, {"drop": "before"}, {"drop": "after"}]


@pytest.mark.parametrize("trouble", IN_DOUBT)
async def test_a_message_that_may_have_been_sent_is_not_sent_again(
    bot: Bot, playground: Playground, trouble: dict[str, Any]
) -> None:
    playground.fail_next("sendMessage", **trouble)
    with pytest.raises((TelegramNetworkError, TelegramServerError, ClientDecodeError)):
        await bot.send_message(1, "hi")
    assert count(playground, "sendMessage") == 1


@pytest.mark.parametrize("trouble", IN_DOUBT)
async def test_a_message_that_may_come_twice_is_sent_again(
    bot: Bot, playground: Playground, trouble: dict[str, Any]
) -> None:
    playground.fail_next("sendMessage", **trouble)
    with at_least_once():
        await bot.send_message(1, "hi")
    assert set(texts(playground)) == {"hi"}
    assert count(playground, "sendMessage") == 2


@pytest.mark.parametrize("trouble", IN_DOUBT)
async def test_an_edit_is_made_again(bot: Bot, playground: Playground, trouble: dict[str, Any]) -> None:
    sent = await bot.send_message(1, "hi")
    playground.fail_next("editMessageText", **trouble)
    await sent.edit_text("there")
    assert texts(playground) == ["there"]


async def test_a_message_is_sent_once_telegram_can_be_reached_again(playground: Playground) -> None:
    playground.private_chat(playground.user(1))
    port = int(playground.url.rpartition(":")[2])
    bot = make_bot(TelegramSettings(token=SecretStr(TOKEN), api_base=playground.url))
    await playground.stop()
    sending = asyncio.create_task(bot.send_message(1, "hi"))
    await asyncio.sleep(0.3)
    await playground.start(port)
    await sending
    assert texts(playground) == ["hi"]
    await bot.session.close()


async def test_all_that_goes_to_a_flooded_chat_waits_and_nothing_else(bot: Bot, playground: Playground) -> None:
    playground.private_chat(playground.user(2))
    playground.fail_next("sendMessage", code=429, retry_after=1, chat_id=1)
    loop = asyncio.get_running_loop()
    flooded = asyncio.create_task(bot.send_message(1, "a"))
    await asyncio.sleep(0.1)
    began = loop.time()
    await bot.send_message(2, "b")
    assert loop.time() - began < 0.5
    with low_priority_once(), pytest.raises(TelegramRetryAfter):
        await bot.send_message(1, "progress")
    await asyncio.gather(flooded, bot.send_message(1, "c"))
    assert sorted(map(str, texts(playground))) == ["a", "c"]
    assert playground.violations == []


@asynccontextmanager
async def two_bots(settings: Settings, playground: Playground, windows: RateWindows) -> AsyncIterator[tuple[Bot, Bot]]:
    """Give the bot as two processes have it."""
    telegram = settings.telegram.model_copy(update={"api_base": playground.url})
    settings = settings.model_copy(update={"telegram": telegram})
    playground.private_chat(playground.user(1))
    async with (
        running_redis(settings),
        open_bot(settings.telegram, open_redis(settings), windows) as one,
        open_bot(settings.telegram, open_redis(settings), windows) as other,
    ):
        yield one, other


async def keeps_quiet(bot: Bot) -> bool:
    with total_timeout(0):
        try:
            await bot.send_chat_action(1, "typing")
        except TelegramRetryAfter:
            return True
    return False


async def test_what_one_process_is_told_another_obeys(settings: Settings, playground: Playground) -> None:
    async with two_bots(settings, playground, PATIENT_WINDOWS) as (one, other):
        playground.fail_next("sendMessage", code=429, retry_after=2, chat_id=1)
        flooded = asyncio.create_task(one.send_message(1, "a"))
        await awaited(lambda: keeps_quiet(other))
        await asyncio.gather(flooded, other.send_message(1, "b"))
    assert sorted(map(str, texts(playground))) == ["a", "b"]
    assert count(playground, "sendMessage") == 3
    first, *later = [request.at for request in playground.requests if request.method == "sendMessage"]
    assert all(at - first >= 2 for at in later)


async def test_what_is_patient_waits_for_its_turn_and_what_is_not_is_told_how_long(
    settings: Settings, playground: Playground
) -> None:
    windows = RateWindows(chat=RateWindow(2, 2))
    async with two_bots(settings, playground, windows) as (one, other):
        sent = await one.send_message(1, "a")
        await other.send_message(1, "b")
        with total_timeout(0.1), pytest.raises(TelegramRetryAfter) as refused:
            await one.send_message(1, "c")
        assert refused.value.retry_after in {1, 2}
        with total_timeout(0):
            await other.delete_message(1, sent.message_id)
        with total_timeout(5):
            await one.send_message(1, "d")
    assert texts(playground) == ["b", "d"]


async def test_what_gives_way_leaves_half_to_what_is_urgent(settings: Settings, playground: Playground) -> None:
    async with two_bots(settings, playground, RateWindows(chat=RateWindow(3, 60))) as (one, other):
        sent = await one.send_message(1, "status")
        with low_priority_once():
            await other.edit_message_text("progress", chat_id=1, message_id=sent.message_id)
            with pytest.raises(TelegramRetryAfter):
                await other.edit_message_text("more progress", chat_id=1, message_id=sent.message_id)
        with total_timeout(0):
            await other.edit_message_text("text", chat_id=1, message_id=sent.message_id)
    assert texts(playground) == ["text"]


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "no address at all"])
async def test_no_error_tells_the_token(address: str) -> None:
    bot = make_bot(TelegramSettings(token=SecretStr("4242:very-secret"), api_base=address))
    with total_timeout(0), pytest.raises(TelegramNetworkError) as caught:
        await bot.get_me()
    assert "very-secret" not in "".join(traceback.format_exception(caught.value))
    await bot.session.close()
