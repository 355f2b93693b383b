"""The bot process: connects everything that answers people in Telegram, and runs until it is told to stop."""

import asyncio
import signal
from collections.abc import Coroutine
from datetime import UTC, datetime

import structlog

from bot.chat.command_texts import command_texts_by_language
from bot.chat.dispatch import Desk, build_dispatcher
from bot.config.settings import Settings, TelegramSettings
from bot.process.connections import open_ledger, open_queue, recordings_of, redis_url
from bot.telegram.client import open_bot
from bot.telegram.command_menu import register_commands
from bot.telegram.updates import check_webhook, poll, subscribe, webhook_server
from jobs.ending import end
from jobs.persistence import persistently

FINISH_S = 10.0

log = structlog.get_logger(__name__)


async def run_bot(settings: Settings) -> None:
    """Answer people until SIGTERM or SIGINT; what was begun is finished.

    Raises:
        Fault: it cannot start.
    """
    check_webhook(settings.telegram)
    stop = stop_signal()
    async with (
        open_bot(settings.telegram, redis_url(settings)) as bot,
        open_ledger(settings) as ledger,
        open_queue(settings, ledger) as queue,
    ):
        await serve(settings, build_dispatcher(settings, bot, ledger, queue, recordings_of(settings)), stop)
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


async def serve(settings: Settings, desk: Desk, stop: asyncio.Event) -> None:
    """Take updates until `stop` is set, then finish what was begun."""
    if not await unless_stopped(stop, _recall_moves(desk)):
        return
    introduction = _introduce(settings.telegram, desk)
    try:
        if settings.telegram.mode == "webhook":
            async with webhook_server(settings.telegram, desk.bot, desk.dispatcher):
                await unless_stopped(stop, introduction)
                await stop.wait()
        elif await unless_stopped(stop, introduction):
            await poll(desk.bot, desk.dispatcher, stop, lambda: desk.reception.seen)
    finally:
        await desk.background.finish(within_s=FINISH_S)


async def _introduce(settings: TelegramSettings, desk: Desk) -> None:
    """Subscribe to updates; once Telegram answers, show the command menus and take up what was left."""
    me = await subscribe(desk.bot, settings, desk.dispatcher)
    desk.background.spawn(register_commands(desk.bot, command_texts_by_language()))
    desk.background.spawn(desk.intake.resume(datetime.now(UTC)))
    log.info("bot_started", username=me.username, mode=settings.mode)


async def _recall_moves(desk: Desk) -> None:
    """Learn which groups moved before any update is judged by who may use the bot."""
    for chat_id, moved_to in (await persistently(lambda: desk.intake.ledger.moved_chats(desk.bot.id))).items():
        desk.access.follow(chat_id, moved_to)
