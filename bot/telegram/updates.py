"""Receives updates by long polling or by webhook. Knows nothing of how an update is handled."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from json import JSONDecodeError
from urllib.parse import urlsplit

import structlog
from aiogram import Bot, Dispatcher
from aiogram.exceptions import TelegramAPIError, TelegramBadRequest, TelegramNotFound, TelegramUnauthorizedError
from aiogram.types import User
from aiogram.webhook.aiohttp_server import SimpleRequestHandler
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import ValidationError

from bot.config.settings import OFFICIAL_SERVER, TelegramSettings
from bot.telegram.errors import TokenRefused, WebhookRefused, WebhookUnsafe
from bot.telegram.request_policy import total_timeout
from bot.telegram.unreadable import unreadable_update
from jobs.resilience import cancel_and_wait

CONFIRM_S = 5
POLLING_S = 20
STOPS_WITHIN_S = 2.0

log = structlog.get_logger(__name__)


def check_webhook(settings: TelegramSettings) -> None:
    """Check that webhook mode, if set, has a URL that can be called, and a secret.

    Raises:
        WebhookUnsafe: One of them is missing.
    """
    if settings.mode == "webhook" and not (_can_call(settings) and settings.webhook_secret.get_secret_value()):
        raise WebhookUnsafe


def _can_call(settings: TelegramSettings) -> bool:
    """Tell whether the Bot API server calls such a URL; one of one's own also calls without TLS."""
    schemes = ("https",) if settings.api_base == OFFICIAL_SERVER else ("https", "http")
    url = urlsplit(settings.webhook_url)
    return url.scheme in schemes and bool(url.hostname)


async def subscribe(bot: Bot, settings: TelegramSettings, dispatcher: Dispatcher) -> User:
    """Set or delete the webhook, and return the bot's own user (getMe). Waits for as long as Telegram is away.

    Raises:
        TokenRefused: Telegram rejects the token.
        WebhookRefused: Telegram does not call such an address.
    """
    with total_timeout(float("inf")):
        try:
            me = await bot.me()
        except (TelegramUnauthorizedError, TelegramNotFound):
            raise TokenRefused from None
        if settings.mode == "polling":
            await bot.delete_webhook()
        else:
            await _set_webhook(bot, settings, dispatcher)
    return me


async def _set_webhook(bot: Bot, settings: TelegramSettings, dispatcher: Dispatcher) -> None:
    try:
        await bot.set_webhook(
            settings.webhook_url,
            secret_token=settings.webhook_secret.get_secret_value(),
            allowed_updates=dispatcher.resolve_used_update_types(),
        )
    except TelegramBadRequest as refusal:
        raise WebhookRefused(reason=refusal.message) from None


async def poll(bot: Bot, dispatcher: Dispatcher, stop: asyncio.Event, last_seen: Callable[[], int | None]) -> None:
    """Poll until `stop` is set; an update that is still being handled then comes again at the next start.

    `last_seen` returns the id of the last update that was handled, None if there was none.
    """
    polling = dispatcher.start_polling(
        bot, polling_timeout=POLLING_S, handle_as_tasks=False, handle_signals=False, close_bot_session=False
    )
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(polling)
        await asyncio.sleep(0)  # polling that has not begun cannot be stopped
        await stop.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOPS_WITHIN_S):
                await dispatcher.stop_polling()
        await cancel_and_wait(running)
    if (seen := last_seen()) is not None:
        await _confirm(bot, seen)


async def _confirm(bot: Bot, seen: int) -> None:
    """Acknowledge the last updates, so that they are not handled again after a restart."""
    with contextlib.suppress(TelegramAPIError, OSError):
        await bot.get_updates(offset=seen + 1, limit=1, timeout=0, request_timeout=CONFIRM_S)


@asynccontextmanager
async def webhook_server(settings: TelegramSettings, bot: Bot, dispatcher: Dispatcher) -> AsyncIterator[None]:
    """Serve the webhook on `telegram.webhook_listen`; an update is acknowledged after it has been handled."""
    secret = settings.webhook_secret.get_secret_value()
    hook = SimpleRequestHandler(dispatcher, bot, handle_in_background=False, secret_token=secret)
    app = web.Application(middlewares=[_handle_unreadable(bot, dispatcher)])
    app.router.add_post("/{path:.*}", hook.handle)  # proxies change paths; the secret tells who calls
    runner = web.AppRunner(app, handle_signals=False, access_log=None)
    await runner.setup()
    host, _, port = settings.webhook_listen.rpartition(":")
    try:
        await web.TCPSite(runner, host.strip("[]"), int(port)).start()
        yield
    finally:
        await runner.cleanup()


def _handle_unreadable(bot: Bot, dispatcher: Dispatcher) -> Middleware:
    """Handle an update that cannot be decoded as such: Telegram would send it again and again, before all others."""

    @web.middleware
    async def handle(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except JSONDecodeError as error:
            log.warning("update_unreadable", error=type(error).__name__)
        except ValidationError as error:
            raw = await request.json(loads=bot.session.json_loads)
            log.warning("update_unreadable", update_id=raw["update_id"], errors=error.error_count())
            await dispatcher.feed_update(bot, unreadable_update(raw))
        return web.json_response({})

    return handle
