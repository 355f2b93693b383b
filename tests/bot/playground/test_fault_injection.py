import asyncio
import time

import pytest
from aiogram import Bot
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
)
from aiogram.types import Chat, User

from bot.playground.fault_injection import Fault
from bot.playground.server import Playground
from tests.bot.playground.expected_errors import refused
from tests.bot.playground.waiting import until


async def test_an_inner_error_does_nothing(playground: Playground, bot: Bot, chat: Chat) -> None:
    playground.fail_next("sendMessage", code=500, times=2)
    for _ in range(2):
        with pytest.raises(TelegramServerError, match="Internal Server Error"):
            await bot.send_message(chat.id, "x")
    assert playground.messages(chat) == []
    await bot.send_message(chat.id, "x")
    assert len(playground.messages(chat)) == 1
    assert playground.violations == []


async def test_a_bad_gateway_answers_with_a_page(playground: Playground, bot: Bot) -> None:
    playground.fail_next(code=502)
    with pytest.raises(ClientDecodeError, match="Failed to decode"):
        await bot.get_me()


async def test_a_connection_that_breaks_before(playground: Playground, bot: Bot, chat: Chat) -> None:
    playground.fail_next("sendMessage", drop="before")
    with pytest.raises(TelegramNetworkError):
        await bot.send_message(chat.id, "x")
    assert playground.messages(chat) == []


async def test_a_connection_that_breaks_after(playground: Playground, bot: Bot, chat: Chat) -> None:
    playground.fail_next("sendMessage", drop="after")
    with pytest.raises(TelegramNetworkError):
        await bot.send_message(chat.id, "x")
    assert [message.text for message in playground.messages(chat)] == ["x"]


async def test_repeating_an_edit_whose_answer_was_lost_is_no_carelessness(
    playground: Playground, bot: Bot, chat: Chat
) -> None:
    sent = await bot.send_message(chat.id, "x")
    playground.fail_next("editMessageText", drop="after")
    with pytest.raises(TelegramNetworkError):
        await bot.edit_message_text("y", chat_id=chat.id, message_id=sent.message_id)
    with pytest.raises(Exception, match="message is not modified"):
        await bot.edit_message_text("y", chat_id=chat.id, message_id=sent.message_id)
    assert playground.violations == []


async def test_repeating_a_deletion_whose_answer_was_lost_is_no_carelessness_and_any_other_is(
    playground: Playground, bot: Bot, chat: Chat
) -> None:
    lost, heard = [await bot.send_message(chat.id, "x") for _ in range(2)]
    playground.fail_next("deleteMessage", drop="after")
    with pytest.raises(TelegramNetworkError):
        await bot.delete_message(chat.id, lost.message_id)
    assert await bot.delete_message(chat.id, heard.message_id)
    for gone in (lost, heard):
        with pytest.raises(Exception, match="message to delete not found"):
            await bot.delete_message(chat.id, gone.message_id)
    (violation,) = playground.violations
    assert f"'message_id': '{heard.message_id}'" in violation
    playground.violations.clear()


async def test_a_slow_answer_comes_late(playground: Playground, bot: Bot, chat: Chat) -> None:
    playground.fail_next("sendMessage", delay_s=0.2)
    began = time.monotonic()
    await bot.send_message(chat.id, "x")
    assert time.monotonic() - began >= 0.2


async def test_a_frozen_answer_never_comes(playground: Playground, bot: Bot, chat: Chat) -> None:
    playground.fail_next("sendMessage", frozen=True)
    with pytest.raises(TelegramNetworkError, match="timeout"):
        await bot.send_message(chat.id, "x", request_timeout=1)
    assert playground.messages(chat) == []


async def test_a_frozen_server_answers_when_it_thaws(playground: Playground, bot: Bot, chat: Chat) -> None:
    playground.pause()
    sending = asyncio.create_task(bot.send_message(chat.id, "x"))
    await until(lambda: bool(playground.requests and playground.requests[-1].params))
    assert not sending.done()
    assert playground.messages(chat) == []
    playground.resume()
    assert (await sending).text == "x"


async def test_a_server_that_was_away_knows_everything_still(
    playground: Playground, bot: Bot, chat: Chat, ada: User
) -> None:
    port = int(playground.url.rpartition(":")[2])
    await playground.stop()
    with pytest.raises(TelegramNetworkError):
        await bot.get_me()
    playground.send_text(chat, ada, "meanwhile")
    await playground.start(port)
    assert len(await bot.get_updates()) == 1


async def test_faults_can_be_for_one_chat(playground: Playground, bot: Bot, chat: Chat) -> None:
    other = playground.private_chat(playground.user(2))
    playground.fail_next(chat_id=chat.id, code=400, description="Bad Request: need administrator rights")
    await bot.send_message(other.id, "x")
    with refused("Bad Request: need administrator rights"):
        await bot.send_message(chat.id, "x")


async def test_being_told_to_wait_and_obeying_is_no_violation(playground: Playground, bot: Bot, chat: Chat) -> None:
    playground.fail_next("sendMessage", code=429, retry_after=1)
    with pytest.raises(TelegramRetryAfter) as told:
        await bot.send_message(chat.id, "x")
    assert told.value.retry_after == 1
    playground.advance(1)
    await bot.send_message(chat.id, "x")
    assert playground.violations == []
    assert len(playground.floods) == 1


async def test_being_told_to_wait_and_not_obeying_is_one(playground: Playground, bot: Bot, chat: Chat) -> None:
    other = playground.private_chat(playground.user(2))
    playground.fail_next("sendMessage", code=429, retry_after=5)
    with pytest.raises(TelegramRetryAfter):
        await bot.send_message(chat.id, "x")
    playground.advance(3)
    await bot.send_message(other.id, "x")
    with pytest.raises(TelegramRetryAfter) as told:
        await bot.send_message(chat.id, "x")
    assert told.value.retry_after == 2
    assert "before retry_after had passed" in playground.violations[0]


async def test_faults_can_be_drawn_for_each_request(playground: Playground, bot: Bot) -> None:
    playground.faults.draw = lambda method: Fault(method=None, code=500) if method == "getMe" else None
    with pytest.raises(TelegramServerError):
        await bot.get_me()
    assert await bot.get_updates() == []
    assert playground.faults.injected == ["getMe: 500"]
    playground.faults.draw = lambda _: None
    assert await bot.get_me()
