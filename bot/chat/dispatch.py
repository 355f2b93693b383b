"""Builds the aiogram dispatcher: routers, middleware, and the objects that handlers take as arguments."""

from dataclasses import dataclass, field
from functools import partial

from aiogram import Bot, Dispatcher

from bot.chat.access import Access
from bot.chat.background_tasks import BackgroundTasks
from bot.chat.dead_letters import DeadLetterKeeper
from bot.chat.delivery import Delivery
from bot.chat.gatekeeper import Gatekeeper
from bot.chat.handlers import (
    added,
    audio,
    cancel,
    delete,
    fallback,
    group_migration,
    help,  # noqa: A004 - /help
    history,
    language,
    links,
    mention,
    notes,
    retry,
    stats,
)
from bot.chat.handlers.note_lookup import NoteLookup
from bot.chat.intake import ChatIntake
from bot.chat.note_actions import NoteActions
from bot.chat.notice_store import NoticeStore
from bot.chat.outage_notice import OutageNotice
from bot.chat.size_limits import size_limits
from bot.config.request_defaults import default_request, model_name
from bot.config.settings import Settings
from jobs.estimate import RecentSpeed
from jobs.intake import Intake
from jobs.leases import Leases
from jobs.queue import Queue
from jobs.speech_engine import options_of
from storage.artefacts.artefacts import Artefacts
from storage.telegram.ledger import TelegramLedger

HANDLERS = (
    group_migration,
    notes,
    links,
    help,
    history,
    retry,
    language,
    cancel,
    audio,
    delete,
    stats,
    mention,
    added,
    fallback,
)  # the first that fits is asked
WEBHOOK_RECORD_S = 30.0  # Telegram waits for 60 s, then sends the update again


@dataclass(frozen=True, slots=True)
class BotApplication:
    """The parts of one bot process."""

    bot: Bot
    dispatcher: Dispatcher
    gatekeeper: Gatekeeper
    access: Access
    intake: ChatIntake
    background: BackgroundTasks = field(default_factory=BackgroundTasks)


def build_dispatcher(
    settings: Settings, bot: Bot, ledger: TelegramLedger, queue: Queue, artefacts: Artefacts
) -> BotApplication:
    """Build the dispatcher with all handlers, and the parts that it uses."""
    delivery = Delivery(bot, ledger)
    access = Access(settings.access)
    background = BackgroundTasks()
    record_within_s = WEBHOOK_RECORD_S if settings.telegram.mode == "webhook" else None
    intake = ChatIntake(
        delivery=delivery,
        ledger=ledger,
        leases=Leases(ledger),
        queue=queue,
        background=background,
        outage_notice=OutageNotice(bot, NoticeStore(queue.redis)),
        limits=size_limits(settings),
        intake=Intake(
            ledger=ledger,
            speed=RecentSpeed(ledger),
            options_of=partial(
                options_of, model=model_name(settings.engine), defaults=default_request(settings.engine)
            ),
            within_s=record_within_s,
        ),
    )
    gatekeeper = Gatekeeper(access, ledger, background, record_within_s)
    dispatcher = Dispatcher(
        disable_fsm=True,
        settings=settings,
        access=access,
        ledger=ledger,
        queue=queue,
        delivery=delivery,
        intake=intake,
        actions=NoteActions(delivery, ledger, queue, intake),
        artefacts=artefacts,
        lookup=NoteLookup(bot, ledger, access, intake),
    )
    dispatcher.update.outer_middleware(DeadLetterKeeper(ledger, background, record_within_s))
    dispatcher.update.outer_middleware(gatekeeper)
    for module in HANDLERS:
        dispatcher.include_router(module.router())
    return BotApplication(bot, dispatcher, gatekeeper, access, intake, background)
