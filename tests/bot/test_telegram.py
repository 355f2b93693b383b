"""The line to the Bot API."""

import asyncio
import traceback
from collections.abc import AsyncIterator

import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramNetworkError, TelegramRetryAfter
from pydantic import SecretStr

from bot.errors import TokenMissing
from bot.playground.server import Playground
from bot.settings import TelegramSettings
from bot.telegram import make_bot, patience

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


def test_without_a_token_it_is_said_where_to_get_one() -> None:
    with pytest.raises(TokenMissing, match="@BotFather"):
        make_bot(TelegramSettings())


@pytest.mark.parametrize("code", [500, 503])
async def test_a_message_that_telegram_says_it_did_not_send_is_sent_again(
    bot: Bot, playground: Playground, code: int
) -> None:
    playground.fail_next("sendMessage", code=code, times=2)
    await bot.send_message(1, "hi")
    assert texts(playground) == ["hi"]


@pytest.mark.parametrize("drop", ["before", "after"])
async def test_a_message_that_may_have_been_sent_is_not_sent_again(bot: Bot, playground: Playground, drop: str) -> None:
    playground.fail_next("sendMessage", drop=drop)  # type: ignore[arg-type]  # the parameters are the literals
    with pytest.raises(TelegramNetworkError):
        await bot.send_message(1, "hi")
    assert len([request for request in playground.requests if request.method == "sendMessage"]) == 1


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
    with patience(0), pytest.raises(TelegramRetryAfter):
        await bot.send_message(1, "progress")
    await asyncio.gather(flooded, bot.send_message(1, "c"))
    assert sorted(map(str, texts(playground))) == ["a", "c"]
    assert playground.violations == []


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "no address at all"])
async def test_no_error_tells_the_token(address: str) -> None:
    bot = make_bot(TelegramSettings(token=SecretStr("4242:very-secret"), api_base=address))
    with patience(0), pytest.raises(TelegramNetworkError) as caught:
        await bot.get_me()
    assert "very-secret" not in "".join(traceback.format_exception(caught.value))
    await bot.session.close()
