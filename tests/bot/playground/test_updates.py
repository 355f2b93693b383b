import asyncio
import time

import pytest
from aiogram import Bot
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import ClientDecodeError, TelegramConflictError
from aiogram.types import Chat, User

from bot.playground.server import Playground
from tests.bot.playground.conftest import QuickSession
from tests.bot.playground.expected_errors import refused
from tests.bot.playground.waiting import until


async def test_an_update_comes_until_it_is_confirmed(playground: Playground, bot: Bot, chat: Chat, ada: User) -> None:
    playground.send_text(chat, ada, "one")
    playground.send_text(chat, ada, "two")
    first = await bot.get_updates()
    assert await bot.get_updates() == first
    assert [update.message.text for update in first if update.message] == ["one", "two"]
    assert await bot.get_updates(offset=first[1].update_id) == first[1:]
    assert await bot.get_updates(offset=first[1].update_id + 1) == []
    assert await bot.get_updates() == []


async def test_a_negative_offset_gives_the_last_and_forgets_the_rest(
    playground: Playground, bot: Bot, chat: Chat, ada: User
) -> None:
    for text in "abc":
        playground.send_text(chat, ada, text)
    assert [update.message.text for update in await bot.get_updates(offset=-1) if update.message] == ["c"]
    assert len(await bot.get_updates()) == 1


async def test_a_limit_is_kept(playground: Playground, bot: Bot, chat: Chat, ada: User) -> None:
    for text in "abc":
        playground.send_text(chat, ada, text)
    assert len(await bot.get_updates(limit=2)) == 2


async def test_a_poll_waits_for_something_to_happen(playground: Playground, bot: Bot, chat: Chat, ada: User) -> None:
    began = time.monotonic()
    polling = asyncio.create_task(bot.get_updates(timeout=20))
    await until(lambda: playground.endpoint.polls.current is not None)
    assert not polling.done()
    playground.send_text(chat, ada, "hi")
    assert len(await polling) == 1
    assert time.monotonic() - began < 10


async def test_an_empty_poll_ends_by_itself(bot: Bot) -> None:
    assert await bot.get_updates(timeout=1) == []


async def test_only_one_may_poll(playground: Playground, bot: Bot) -> None:
    first = asyncio.create_task(bot.get_updates(timeout=20))
    await until(lambda: playground.endpoint.polls.current is not None)
    second = asyncio.create_task(bot.get_updates(timeout=1))
    with pytest.raises(TelegramConflictError, match="terminated by other getUpdates request"):
        await first
    assert await second == []
    assert len(playground.violations) == 1


async def test_a_poller_that_died_is_in_nobodys_way(playground: Playground, bot: Bot, chat: Chat, ada: User) -> None:
    dead = Bot(playground.token, session=QuickSession(api=TelegramAPIServer.from_base(playground.url)))
    polling = asyncio.create_task(dead.get_updates(timeout=20))
    await until(lambda: playground.endpoint.polls.current is not None)
    polling.cancel()
    await dead.session.close()
    await until(lambda: playground.endpoint.polls.current is None)
    playground.send_text(chat, ada, "hi")
    assert len(await bot.get_updates(timeout=5)) == 1
    assert playground.violations == []


async def test_only_wanted_kinds_are_queued(playground: Playground, bot: Bot, chat: Chat, ada: User) -> None:
    await bot.get_updates(allowed_updates=["callback_query"])
    playground.send_text(chat, ada, "unheard")
    await bot.get_updates(allowed_updates=[])
    playground.send_text(chat, ada, "heard")
    assert [update.message.text for update in await bot.get_updates() if update.message] == ["heard"]


async def test_updates_are_kept_for_a_day(playground: Playground, bot: Bot, chat: Chat, ada: User) -> None:
    playground.send_text(chat, ada, "old")
    playground.advance(24 * 3600 + 1)
    playground.send_text(chat, ada, "new")
    assert [update.message.text for update in await bot.get_updates() if update.message] == ["new"]


async def test_confirmed_updates_can_come_again(playground: Playground, bot: Bot, chat: Chat, ada: User) -> None:
    playground.send_text(chat, ada, "one")
    (first,) = await bot.get_updates()
    beyond = first.update_id + 1
    assert await bot.get_updates(offset=beyond) == []
    playground.redeliver()
    assert await bot.get_updates(offset=beyond) == [first]
    assert await bot.get_updates(offset=beyond) == []


async def test_an_update_that_cannot_be_decoded(playground: Playground, bot: Bot, chat: Chat, ada: User) -> None:
    number = playground.send_malformed_update()
    playground.send_text(chat, ada, "behind it")
    with pytest.raises(ClientDecodeError):
        await bot.get_updates()
    assert len(await bot.get_updates(offset=number + 1)) == 1


async def test_everything_a_person_does_is_an_update_that_aiogram_reads(
    playground: Playground, bot: Bot, chat: Chat, ada: User
) -> None:
    said = playground.send_text(chat, ada, "hi")
    playground.edit(said, "hello")
    playground.block(ada)
    playground.unblock(ada)
    updates = await bot.get_updates()
    assert [update.event_type for update in updates] == [
        "message",
        "edited_message",
        "my_chat_member",
        "my_chat_member",
    ]
    assert all(update.event.model_extra == {} for update in updates)


async def test_polling_and_a_webhook_exclude_each_other(bot: Bot) -> None:
    await bot.set_webhook("http://127.0.0.1:1/")
    with refused(
        "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
    ):
        await bot.get_updates()
    await bot.delete_webhook()
    assert await bot.get_updates() == []
