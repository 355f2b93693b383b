"""The worker process: opens all connections, loads the engine, and transcribes notes until SIGTERM or SIGINT."""

import asyncio
from concurrent.futures import Future

from bot.chat.delivery import Delivery
from bot.chat.telegram_door import TelegramDoor
from bot.config.request_defaults import default_request
from bot.config.settings import Settings
from bot.process.connections import open_artefacts, open_ledger, open_redis
from bot.process.model_setup import load_engine_in_background
from bot.telegram.client import open_bot
from engine import Engine
from jobs.redis_refusals import check_not_refused
from jobs.worker import run_worker


async def run_worker_process(settings: Settings, loading: Future[Engine] | None = None) -> None:
    """Transcribe notes until SIGTERM or SIGINT, with the engine that is already `loading` or one loaded here.

    Raises:
        Fault: It cannot start, or its engine is stuck.
    """
    loading = loading or load_engine_in_background(settings.engine)
    defaults = default_request(settings.engine)
    redis = open_redis(settings)
    try:
        await check_not_refused(redis)
        async with open_bot(settings.telegram, open_redis(settings)) as bot, open_ledger(settings) as ledger:
            engine = await asyncio.wrap_future(loading)
            await run_worker(
                engine=engine,
                ledger=ledger,
                redis=redis,
                door=TelegramDoor(Delivery(bot, ledger)),
                artefacts=open_artefacts(settings, ledger),
                data_dir=settings.data_dir,
                timeout_s=settings.engine.timeout_s,
                grace_s=settings.workers.grace_s,
                notes_at_once=settings.workers.notes_at_once,
                max_memory_mb=settings.workers.max_memory_mb,
                defaults=defaults,
            )
    finally:
        await redis.aclose(close_connection_pool=True)
