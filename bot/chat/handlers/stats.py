"""/queue for those who run the bot, /stats for everybody."""

from aiogram import Bot, Router
from aiogram.filters import Command, CommandObject
from aiogram.types import Message

from bot.chat.access import Access
from bot.chat.handlers.respond import respond
from bot.chat.texts import say, say_duration, say_number
from jobs.queue import Queue
from jobs.statistics import queue_report
from storage.ledger import Ledger
from storage.note import State, Stats


def router() -> Router:
    """Make the router of these handlers."""
    own = Router(name="figures")
    own.message.register(show_queue, Command("queue"))
    own.message.register(show_stats, Command("stats"))
    return own


async def show_queue(message: Message, ledger: Ledger, queue: Queue, access: Access) -> None:
    """Show how busy the workers are."""
    if not _is_admin(message, access):
        await respond(message, say("Only those who run this bot may see that."))
        return
    report = await queue_report(ledger, queue)
    lines = [
        say("Queued: {number}", number=report["queued"]),
        say("Processing: {number}", number=report["processing"]),
        say("Failed: {number}", number=report["failed"]),
        say("Workers: {workers}, busy: {busy}", workers=report["workers"], busy=report["workers_busy"]),
        say("Oldest wait: {wait}", wait=say_duration(report["oldest_wait_s"])),
    ]
    if report["rtf"] is not None:
        factor = f"{1 / max(report['rtf'], 0.001):.1f}"
        lines.append(say("Speed: {factor} times as fast as speech", factor=factor))
    await respond(message, "\n".join(lines))


async def show_stats(message: Message, command: CommandObject, bot: Bot, ledger: Ledger, access: Access) -> None:
    """Sum up what was done for this person, or for all."""
    if (command.args or "").strip().lower() != "all":
        user_id = message.from_user.id if message.from_user else 0
        await respond(message, _summary(say("What I did for you:"), await ledger.stats(bot.id, user_id)))
    elif _is_admin(message, access):
        stats = await ledger.stats(bot.id)
        people = say_number("{number} person", "{number} people", stats.users)
        await respond(message, "\n".join([_summary(say("What I did for everybody:"), stats), people]))
    else:
        await respond(message, say("Only those who run this bot may see that."))


def _summary(title: str, stats: Stats) -> str:
    total = sum(stats.counts.values())
    lines = [
        title,
        say_number("{number} recording", "{number} recordings", total),
        say_number("{number} transcribed", "{number} transcribed", stats.counts[State.DONE]),
        say_number("{number} failed", "{number} failed", stats.counts[State.FAILED]),
        say("Speech: {duration}", duration=say_duration(stats.audio_s)),
        say("My work on it: {duration}", duration=say_duration(stats.engine_s)),
    ]
    return "\n".join(lines)


def _is_admin(message: Message, access: Access) -> bool:
    return access.is_admin(message.from_user.id if message.from_user else None)
