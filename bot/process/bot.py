"""The bot process: opens all connections, receives updates, and stops gracefully on SIGTERM and SIGINT."""

import asyncio
import signal
from collections.abc import Coroutine

import structlog

from bot.chat.command_texts import command_texts_by_language
from bot.chat.dispatch import BotApplication, build_dispatcher
from bot.config.settings import Settings
from bot.process.connections import open_artefacts, open_ledger, open_queue, open_redis
from bot.telegram.client import open_bot
from bot.telegram.command_menu import register_commands
from bot.telegram.token_check import PRIVACY_MODE
from bot.telegram.updates import check_webhook, poll, subscribe, webhook_server
from jobs.resilience import cancel_and_wait, retry_until_written

FINISH_S = 10.0

log = structlog.get_logger(__name__)


async def run_bot(settings: Settings) -> None:
    """Run the bot until SIGTERM or SIGINT, then finish the tasks that are under way.

    Raises:
        Fault: It cannot start.
    """
    check_webhook(settings.telegram)
    stop = stop_signal()
    async with (
        open_bot(settings.telegram, open_redis(settings)) as bot,
        open_ledger(settings) as ledger,
        open_queue(settings) as queue,
    ):
        await serve(settings, build_dispatcher(settings, bot, ledger, queue, open_artefacts(settings, ledger)), stop)
    log.info("bot_stopped")


def stop_signal() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def run_unless_stopped(stop: asyncio.Event, work: Coroutine[object, object, object]) -> bool:
    """Run `work` until it ends or `stop` is set; tell whether it ended by itself."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    is_done = working.done()
    await cancel_and_wait(working, stopping)
    if is_done:
        working.result()
    return is_done


async def serve(settings: Settings, app: BotApplication, stop: asyncio.Event) -> None:
    """Receive updates until `stop` is set, then finish the background tasks."""
    if not await run_unless_stopped(stop, _load_migrations(app)):
        return
    introduction = _subscribe(settings, app)
    try:
        if settings.telegram.mode == "webhook":
            async with webhook_server(settings.telegram, app.bot, app.dispatcher):
                await run_unless_stopped(stop, introduction)
                await stop.wait()
        elif await run_unless_stopped(stop, introduction):
            await poll(app.bot, app.dispatcher, stop, lambda: app.gatekeeper.last_update_id)
    finally:
        await app.background.finish(within_s=FINISH_S)


async def _subscribe(settings: Settings, app: BotApplication) -> None:
    """Subscribe to updates; once Telegram answers, register the command menus and resume unanswered notes."""
    before = await retry_until_written(app.intake.ledger.current_time)  # what comes from now on is welcomed as it comes
    me = await subscribe(app.bot, settings.telegram, app.dispatcher)
    app.background.spawn(register_commands(app.bot, command_texts_by_language()))
    app.background.spawn(app.intake.resume(before))
    log.info("bot_started", username=me.username, mode=settings.telegram.mode)
    if not me.can_read_all_group_messages:
        log.info("privacy_mode", means=PRIVACY_MODE)
    app.background.spawn(_offer_admin_link(settings, app, me.username))


async def _offer_admin_link(settings: Settings, app: BotApplication, username: str | None) -> None:
    """Where the bot has no admin, log a link that makes whoever opens it first the admin."""
    ledger, bot_id = app.intake.ledger, app.bot.id
    if settings.access.admins:
        await retry_until_written(lambda: ledger.withdraw_admin_links(bot_id))
    elif code := await retry_until_written(lambda: ledger.make_admin_link(bot_id)):
        link = f"https://t.me/{username}?start={code}"
        log.warning("no_admin", link=link, remedy="open the link: it makes you the admin, once")


async def _load_migrations(app: BotApplication) -> None:
    """Load which groups migrated, before access is checked for any update."""
    for chat_id, moved_to in (await retry_until_written(lambda: app.intake.ledger.migrated_chats(app.bot.id))).items():
        app.access.add_migration(chat_id, moved_to)
