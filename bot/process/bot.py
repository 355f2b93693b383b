"""The bot process: takes updates from Telegram, by polling or by webhook. Holds no speech model."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from json import JSONDecodeError
from urllib.parse import urlsplit

import structlog
from aiogram import Bot
from aiogram.exceptions import TelegramAPIError, TelegramNotFound, TelegramUnauthorizedError
from aiogram.webhook.aiohttp_server import SimpleRequestHandler
from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import ValidationError

from bot.chat.dispatch import Desk, build_dispatcher
from bot.config.settings import Settings, TelegramSettings
from bot.process.connections import open_ledger, open_queue
from bot.telegram.client import open_bot
from bot.telegram.command_menu import register_commands
from bot.telegram.errors import TokenRefused, WebhookUnsafe
from bot.telegram.request_policy import patience
from jobs.ending import end
from jobs.persistence import persistently

FINISH_S = 10.0
CONFIRM_S = 5
POLLING_S = 20
STOPS_WITHIN_S = 2.0

log = structlog.get_logger(__name__)


async def run_bot(settings: Settings) -> None:
    """Answer people until SIGTERM or SIGINT; what was begun is finished.

    Raises:
        Fault: it cannot start.
    """
    if settings.telegram.mode == "webhook":
        _check_webhook(settings.telegram)
    stop = stop_signal()
    async with open_bot(settings) as bot, open_ledger(settings) as ledger, open_queue(settings, ledger) as queue:
        await serve(settings, bot, build_dispatcher(settings, bot, ledger, queue), stop)
    log.info("bot_stopped")


def stop_signal() -> asyncio.Event:
    """Give an event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def unless_stopped(stop: asyncio.Event, work: Coroutine[object, object, object]) -> bool:
    """Do `work` to its end, or until `stop` is set; tell whether it came to its end."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    is_done = working.done()
    await end(working, stopping)
    if is_done:
        working.result()
    return is_done


async def serve(settings: Settings, bot: Bot, desk: Desk, stop: asyncio.Event) -> None:
    """Take updates until `stop` is set, then finish what was begun."""
    if not await unless_stopped(stop, _recall_moves(bot, desk)):
        return
    introduction = _introduce(bot, settings.telegram, desk)
    try:
        if settings.telegram.mode == "webhook":
            async with _listening(settings.telegram, bot, desk):
                await unless_stopped(stop, introduction)
                await stop.wait()
        elif await unless_stopped(stop, introduction):
            await _poll(bot, desk, stop)
    finally:
        await desk.background.finish(within_s=FINISH_S)


async def _introduce(bot: Bot, settings: TelegramSettings, desk: Desk) -> None:
    """Ask Telegram who the bot is, and tell it how updates are to come; wait while Telegram is away."""
    with patience(float("inf")):
        try:
            me = await bot.me()
        except (TelegramUnauthorizedError, TelegramNotFound):
            raise TokenRefused from None
        if settings.mode == "polling":
            await bot.delete_webhook()
        else:
            await bot.set_webhook(
                settings.webhook_url,
                secret_token=settings.webhook_secret.get_secret_value(),
                allowed_updates=desk.dispatcher.resolve_used_update_types(),
            )
    desk.background.spawn(register_commands(bot))
    desk.background.spawn(desk.intake.resume(datetime.now(UTC)))
    log.info("bot_started", username=me.username, mode=settings.mode)


async def _recall_moves(bot: Bot, desk: Desk) -> None:
    """Learn which groups moved before any update is judged by who may use the bot."""
    for chat_id, moved_to in (await persistently(lambda: desk.intake.ledger.moved_chats(bot.id))).items():
        desk.access.follow(chat_id, moved_to)


async def _poll(bot: Bot, desk: Desk, stop: asyncio.Event) -> None:
    """Take updates until `stop`; an update that is being written down then comes again at the next start."""
    polling = desk.dispatcher.start_polling(
        bot, polling_timeout=POLLING_S, handle_as_tasks=False, handle_signals=False, close_bot_session=False
    )
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(polling)
        await asyncio.sleep(0)  # polling that has not begun cannot be stopped
        await stop.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOPS_WITHIN_S):
                await desk.dispatcher.stop_polling()
        await end(running)
    if desk.reception.seen is not None:
        await _confirm(bot, desk.reception.seen)


async def _confirm(bot: Bot, seen: int) -> None:
    """Acknowledge the last updates, so that nobody's command is obeyed again after a restart."""
    with contextlib.suppress(TelegramAPIError, OSError):
        await bot.get_updates(offset=seen + 1, limit=1, timeout=0, request_timeout=CONFIRM_S)


@asynccontextmanager
async def _listening(settings: TelegramSettings, bot: Bot, desk: Desk) -> AsyncIterator[None]:
    """Let Telegram post updates; each is answered once it is written down."""
    secret = settings.webhook_secret.get_secret_value()
    hook = SimpleRequestHandler(desk.dispatcher, bot, handle_in_background=False, secret_token=secret)
    app = web.Application(middlewares=[_skip_unreadable])
    app.router.add_post(urlsplit(settings.webhook_url).path or "/", hook.handle)
    runner = web.AppRunner(app, handle_signals=False, access_log=None)
    await runner.setup()
    host, _, port = settings.webhook_listen.rpartition(":")
    try:
        await web.TCPSite(runner, host, int(port)).start()
        yield
    finally:
        await runner.cleanup()


@web.middleware
async def _skip_unreadable(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Acknowledge what cannot be read: Telegram would send it again and again, before everything else."""
    try:
        return await handler(request)
    except (ValidationError, JSONDecodeError) as error:
        log.warning("update_unreadable", error=type(error).__name__)
        return web.json_response({})


def _check_webhook(settings: TelegramSettings) -> None:
    if not settings.webhook_url or not settings.webhook_secret.get_secret_value():
        raise WebhookUnsafe
