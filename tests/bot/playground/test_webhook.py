import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiogram import Bot, Dispatcher
from aiogram.methods import SendMessage
from aiogram.types import Chat, Message, User
from aiogram.webhook.aiohttp_server import SimpleRequestHandler
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.playground.server import Playground
from bot.playground.webhook import SECRET_HEADER
from tests.bot.playground.expected_errors import refused
from tests.bot.playground.waiting import until

SECRET = "s3cret"  # noqa: S105 - opens nothing
Listen = Callable[[Callable[[web.Request], Awaitable[web.StreamResponse]]], Awaitable[str]]


@pytest.fixture
async def listen() -> AsyncIterator[Listen]:
    servers: list[TestServer] = []

    async def start(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> str:
        app = web.Application()
        app.router.add_post("/hook", handler)
        servers.append(TestServer(app))
        await servers[-1].start_server()
        return str(servers[-1].make_url("/hook"))

    yield start
    for server in servers:
        await server.close()


async def test_updates_are_posted_until_they_are_accepted(
    playground: Playground, bot: Bot, chat: Chat, ada: User, listen: Listen
) -> None:
    heard: list[tuple[str | None, str]] = []
    accepted = asyncio.Event()

    async def hook(request: web.Request) -> web.Response:
        heard.append((request.headers.get(SECRET_HEADER), (await request.json())["message"]["text"]))
        if len(heard) == 1:
            return web.Response(status=500)
        accepted.set()
        return web.Response()

    await bot.set_webhook(await listen(hook), secret_token=SECRET)
    playground.send_text(chat, ada, "hi")
    await asyncio.wait_for(accepted.wait(), 10)
    await until(lambda: not playground.state.updates.pending)
    assert heard == [(SECRET, "hi")] * 2
    info = await bot.get_webhook_info()
    assert info.pending_update_count == 0
    assert info.last_error_message == "Wrong response from the webhook: 500 Internal Server Error"


async def test_what_waits_is_posted_when_the_webhook_is_set(
    playground: Playground, bot: Bot, chat: Chat, ada: User, listen: Listen
) -> None:
    heard = asyncio.Event()

    async def hook(_: web.Request) -> web.Response:
        heard.set()
        return web.Response()

    playground.send_text(chat, ada, "early")
    await bot.set_webhook(await listen(hook))
    await asyncio.wait_for(heard.wait(), 10)


async def test_aiograms_own_webhook_works_and_may_answer_in_its_response(
    playground: Playground, bot: Bot, chat: Chat, ada: User, listen: Listen
) -> None:
    dispatcher = Dispatcher()

    @dispatcher.message()
    async def echo(message: Message) -> SendMessage:
        return SendMessage(chat_id=message.chat.id, text=f"you said {message.text}")

    handler = SimpleRequestHandler(dispatcher, bot, handle_in_background=False, secret_token=SECRET)
    await bot.set_webhook(await listen(handler.handle), secret_token=SECRET)
    playground.send_text(chat, ada, "hi")
    await playground.wait_for(lambda message: message.text == "you said hi")
    assert playground.violations == []


@pytest.mark.parametrize(
    ("url", "secret", "words"),
    [
        ("http://example.org/", None, "bad webhook: An HTTPS URL must be provided for webhook"),
        ("https://example.org/", "no spaces", "secret token contains unallowed characters"),
    ],
)
async def test_webhooks_that_telegram_refuses(bot: Bot, url: str, secret: str | None, words: str) -> None:
    with refused(f"Bad Request: {words}"):
        await bot.set_webhook(url, secret_token=secret)


async def test_pending_updates_can_be_dropped(playground: Playground, bot: Bot, chat: Chat, ada: User) -> None:
    playground.send_text(chat, ada, "hi")
    await bot.delete_webhook(drop_pending_updates=True)
    assert await bot.get_updates() == []
