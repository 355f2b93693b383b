"""Puts the handlers together, and hands them what they need."""

from dataclasses import dataclass, field

from aiogram import Bot, Dispatcher

from bot.chat.access import Access
from bot.chat.background_tasks import Background
from bot.chat.delivery import Answers
from bot.chat.gatekeeper import Reception
from bot.chat.handlers import audio, cancel, delete, fallback, group_migration, help, history, notes, retry, stats  # noqa: A004 - /help
from bot.chat.handlers.note_lookup import Choice
from bot.chat.intake import Intake
from bot.chat.note_actions import Changes
from bot.chat.outage_notice import Delays
from bot.chat.size_limits import limits_of
from bot.config.request_defaults import default_request, model_name
from bot.config.settings import Settings
from jobs.notices import Notices
from jobs.queue import Queue
from jobs.speech import options_of
from storage.ledger import Ledger
from storage.recordings import Recordings

HANDLERS = (
    group_migration,
    notes,
    help,
    history,
    retry,
    cancel,
    audio,
    delete,
    stats,
    fallback,
)  # the first that fits is asked
WEBHOOK_RECORD_S = 30.0  # Telegram waits for 60 s, then sends the update again


@dataclass(frozen=True, slots=True)
class Desk:
    """What one bot process works with."""

    bot: Bot
    dispatcher: Dispatcher
    reception: Reception
    access: Access
    intake: Intake
    background: Background = field(default_factory=Background)


def build_dispatcher(settings: Settings, bot: Bot, ledger: Ledger, queue: Queue, recordings: Recordings) -> Desk:
    """Make a dispatcher that answers everything that people send."""
    answers = Answers(bot, ledger)
    access = Access(settings.access)
    background = Background()
    intake = Intake(
        answers=answers,
        ledger=ledger,
        queue=queue,
        background=background,
        delays=Delays(bot, Notices(queue.redis)),
        limits=limits_of(settings),
        options=options_of(model_name(settings.engine), default_request(settings.engine)),
        record_within_s=WEBHOOK_RECORD_S if settings.telegram.mode == "webhook" else None,
    )
    reception = Reception(access, background)
    dispatcher = Dispatcher(
        disable_fsm=True,
        settings=settings,
        access=access,
        ledger=ledger,
        queue=queue,
        answers=answers,
        intake=intake,
        changes=Changes(answers, ledger, queue, intake, recordings),
        choice=Choice(bot, ledger, access),
    )
    dispatcher.update.outer_middleware(reception)
    for module in HANDLERS:
        dispatcher.include_router(module.router())
    return Desk(bot, dispatcher, reception, access, intake, background)
