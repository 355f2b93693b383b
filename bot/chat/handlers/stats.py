"""/queue (admins) and /stats: what is queued, and what was transcribed so far."""

from aiogram import Bot, Router
from aiogram.filters import Command, CommandObject
from aiogram.types import Message

from bot.chat.access import Access
from bot.chat.handlers.respond import respond
from bot.chat.sender import sender_of
from bot.chat.texts import duration_text, translate, translate_plural
from jobs.queue import Queue
from jobs.queue_report import queue_report
from storage.note import State, Stats
from storage.telegram.ledger import TelegramLedger
from storage.telegram.message import account_of_user, door_of_bot


def router() -> Router:
    """Return the router of /queue and /stats."""
    own = Router(name="figures")
    own.message.register(show_queue, Command("queue"))
    own.message.register(show_stats, Command("stats"))
    return own


async def show_queue(message: Message, ledger: TelegramLedger, queue: Queue, access: Access) -> None:
    """Send the state of queue and workers, to admins only."""
    if not _is_admin(message, access):
        await respond(message, translate("Only those who run this bot may see that."))
        return
    report = await queue_report(ledger, queue)
    lines = [
        translate("Queued: {number}", number=report["queued"]),
        translate("Processing: {number}", number=report["processing"]),
        translate("Failed: {number}", number=report["failed"]),
        translate("Workers: {workers}, busy: {busy}", workers=report["workers"], busy=report["workers_busy"]),
        translate("Oldest wait: {wait}", wait=duration_text(report["oldest_wait_s"])),
    ]
    if report["dead_letters"]:
        lines.append(translate("Could not be taken in: {number}", number=report["dead_letters"]))
    if report["rtf"] is not None:
        factor = f"{1 / max(report['rtf'], 0.001):.1f}"
        lines.append(translate("Speed: {factor} times as fast as speech", factor=factor))
    await respond(message, "\n".join(lines))


async def show_stats(
    message: Message, command: CommandObject, bot: Bot, ledger: TelegramLedger, access: Access
) -> None:
    """Send the totals of this user, or of all users to admins."""
    if (command.args or "").strip().lower() != "all":
        sender = sender_of(message)
        account = account_of_user(sender.id if sender else 0)
        own = await ledger.stats(door_of_bot(bot.id), account)
        await respond(message, _summary(translate("What I did for you:"), own))
    elif _is_admin(message, access):
        stats = await ledger.stats(door_of_bot(bot.id))
        people = translate_plural("{number} person", "{number} people", stats.accounts)
        await respond(message, "\n".join([_summary(translate("What I did for everybody:"), stats), people]))
    else:
        await respond(message, translate("Only those who run this bot may see that."))


def _summary(title: str, stats: Stats) -> str:
    total = sum(stats.counts.values())
    lines = [
        title,
        translate_plural("{number} recording", "{number} recordings", total),
        translate_plural("{number} transcribed", "{number} transcribed", stats.counts[State.DONE]),
        translate_plural("{number} failed", "{number} failed", stats.counts[State.FAILED]),
        translate("Speech: {duration}", duration=duration_text(stats.audio_s)),
        translate("My work on it: {duration}", duration=duration_text(stats.engine_s)),
    ]
    return "\n".join(lines)


def _is_admin(message: Message, access: Access) -> bool:
    sender = sender_of(message)
    return access.is_admin(sender.id if sender else None)
