"""Prints a chat as it happens, for the demo."""

import textwrap
import time
from collections.abc import Mapping

import click
from aiogram.types import Chat, Message

from bot.playground.server import Playground

WIDTH = 96


class ChatPrinter:
    """Prints every message of a chat, and each edited version of it."""

    def __init__(self, playground: Playground, chat: Chat, names: Mapping[int, str] | None = None) -> None:
        """Print `chat`; `names` has the file names of recordings by message id."""
        self._playground, self._chat, self._names = playground, chat, names or {}
        self._printed: dict[int, int] = {}
        self._began = time.monotonic()

    def print_new(self) -> None:
        """Print what is new since the last call."""
        for message in self._playground.messages(self._chat):
            versions = self._playground.versions(message)
            for version in versions[self._printed.get(message.message_id, 0) :]:
                click.echo(format_message(version, time.monotonic() - self._began, self._names))
            self._printed[message.message_id] = len(versions)


def format_message(message: Message, at_s: float, names: Mapping[int, str]) -> str:
    """Format a message with its time (seconds) and author, wrapped; of several recordings, name the one meant."""
    is_bot = message.from_user is not None and message.from_user.is_bot
    head = f"{at_s:6.1f} s  {'Earshot' if is_bot else 'You':7}  "
    answered = message.reply_to_message.message_id if message.reply_to_message else message.message_id
    about = f"{names[answered]}: " if len(names) > 1 and answered in names else ""
    paragraphs = f"{about}{describe_with_buttons(message)}".splitlines()
    wrapped = [textwrap.wrap(paragraph, WIDTH - len(head)) or [""] for paragraph in paragraphs]
    return head + f"\n{' ' * len(head)}".join(part for paragraph in wrapped for part in paragraph)


def describe_with_buttons(message: Message) -> str:
    """Describe a message and its buttons."""
    rows = message.reply_markup.inline_keyboard if message.reply_markup else []
    return " ".join([describe(message), *(f"[{button.text}]" for row in rows for button in row)])


def describe(message: Message) -> str:
    """Describe the content of a message."""
    if message.voice:
        return f"(voice note, {message.voice.duration} s)"
    if message.document:
        return f"({message.document.file_name}) {message.caption or ''}".strip()
    return message.text or message.caption or f"({message.content_type})"
