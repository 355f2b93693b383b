"""`earshot history`: lists the newest voice notes and their texts."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import click

from bot.cli.startup import print_json, start_command
from bot.config.settings import Settings
from bot.process.connections import open_ledger
from engine import render
from storage.note import Note
from storage.telegram.ledger import TelegramLedger
from storage.telegram.message import TelegramNote

OF_TELEGRAM = {"chat": "chat_id", "message": "message_id", "user": "user_id", "kind": "kind"}


@dataclass(frozen=True)
class Entry:
    """A voice note with its text."""

    note: Note
    text: str | None

    @property
    def error(self) -> str | None:
        """The sentence that says why there is no text; None if nothing failed."""
        if self.note.error is None:
            return None
        from bot.chat.texts import fault_text  # noqa: PLC0415 - it loads aiogram, which takes longer than all the rest

        return fault_text(self.note.error.code, self.note.error.params)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--chat", type=int, help="Only this chat, by Telegram's id.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many.")
def command(*, as_json: bool, chat: int | None, limit: int) -> None:
    """Show the newest voice notes."""
    entries = asyncio.run(read_history(start_command("history"), chat, limit))
    if as_json:
        print_json([to_json_object(entry) for entry in entries])
        return
    for entry in entries:
        click.echo(format_line(entry))
    if not entries:
        click.echo("No voice notes yet.", err=True)


async def read_history(settings: Settings, chat: int | None, limit: int) -> list[Entry]:
    """Read the newest notes, newest first, and their texts."""
    async with open_ledger(settings) as ledger:
        notes = await _newest(ledger, chat, limit)
        transcripts = [await ledger.transcript(note.id) for note in notes]
    texts = [render(transcript, "txt").strip() if transcript else None for transcript in transcripts]
    return [Entry(note, text) for note, text in zip(notes, texts, strict=True)]


async def _newest(ledger: TelegramLedger, chat: int | None, limit: int) -> Sequence[Note]:
    if chat is not None:
        return await ledger.recent_of_chat(chat, limit)
    notes = await ledger.recent(limit)
    of_telegram = {note.id: note for note in await ledger.telegram_notes([note.id for note in notes])}
    return [of_telegram.get(note.id, note) for note in notes]


def format_line(entry: Entry) -> str:
    """Format an entry as one line for people."""
    note = entry.note
    length = f"{note.audio_s:.0f} s" if note.audio_s is not None else ""
    said = " ".join((entry.text or entry.error or "").split())
    when = f"{note.received_at.astimezone():%Y-%m-%d %H:%M}"
    where = note.chat_id if isinstance(note, TelegramNote) else note.door
    return f"{when}  {where:>14}  {note.state:10} {length:>7}  {said}".rstrip()


def to_json_object(entry: Entry) -> dict[str, object]:
    """Convert an entry to an object for JSON."""
    note = entry.note
    return {
        "id": note.id,
        "door": note.door,
        "account": note.account,
        **{key: getattr(note, name, None) for key, name in OF_TELEGRAM.items()},
        "state": note.state.value,
        "received_at": note.received_at.isoformat(),
        "finished_at": note.finished_at and note.finished_at.isoformat(),
        "delivered_at": note.delivered_at and note.delivered_at.isoformat(),
        "undeliverable": note.undeliverable,
        "audio_s": note.audio_s,
        "engine_s": note.engine_s,
        "model": note.model,
        "text": entry.text,
        "error": entry.error,
    }
