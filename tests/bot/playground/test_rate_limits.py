import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramRetryAfter
from aiogram.types import Chat

from bot.playground.rate_limits import Limits, RateLimiter
from bot.playground.server import Playground


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_chat_bears_a_burst_and_then_one_a_second(clock: Clock) -> None:
    limiter = RateLimiter(clock, Limits(chat_burst=3))
    assert [limiter.count_message("1") for _ in range(4)] == [0, 0, 0, 1]
    clock.now += 1
    assert [limiter.count_message("1") for _ in range(2)] == [0, 1]
    assert limiter.count_message("2") == 0


def test_a_group_bears_twenty_a_minute(clock: Clock) -> None:
    limiter = RateLimiter(clock, Limits())
    for _ in range(20):
        clock.now += 1
        assert limiter.count_message("-5") == 0
    assert limiter.count_message("-5") == 41
    clock.now += 41
    assert limiter.count_message("-5") == 0


def test_all_chats_together_bear_thirty_a_second(clock: Clock) -> None:
    limiter = RateLimiter(clock, Limits())
    assert [limiter.count_message(str(chat)) for chat in range(31)] == [0] * 30 + [1]


def test_without_limits_all_is_borne(clock: Clock) -> None:
    limiter = RateLimiter(clock, None)
    assert {limiter.count_message("1") for _ in range(1000)} == {0}


async def test_a_flood_is_refused_and_noted_apart(playground: Playground, bot: Bot, chat: Chat) -> None:
    for _ in range(Limits().chat_burst):
        await bot.send_message(chat.id, "x")
    with pytest.raises(TelegramRetryAfter):
        await bot.send_message(chat.id, "x")
    assert len(playground.messages(chat)) == Limits().chat_burst
    assert len(playground.floods) == 1
    assert playground.violations == []
    playground.advance(1)
    await bot.send_message(chat.id, "x")


async def test_edits_count_and_actions_do_not(bot: Bot, chat: Chat) -> None:
    sent = await bot.send_message(chat.id, "x")
    for _ in range(30):
        await bot.send_chat_action(chat.id, "typing")
    for number in range(Limits().chat_burst - 1):
        await bot.edit_message_text(f"x{number}", chat_id=chat.id, message_id=sent.message_id)
    with pytest.raises(TelegramRetryAfter):
        await bot.edit_message_text("y", chat_id=chat.id, message_id=sent.message_id)


async def test_a_playground_has_telegrams_limits_or_those_given_or_none() -> None:
    usual, low, without = Playground(), Playground(limits=Limits(chat_burst=2)), Playground(strict=False)
    borne = [
        sum(playground.rate_limiter.count_message("1") == 0 for _ in range(100)) for playground in (usual, low, without)
    ]
    assert borne == [8, 2, 100]
