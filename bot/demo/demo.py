"""Runs the demo: starts the stand-in for Telegram and `earshot run`, sends recordings and prints the chat."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import click
from aiogram.types import Message

from bot.config.settings import CONFIG, PREFIX, Settings
from bot.demo.chat_printer import ChatPrinter
from bot.playground.server import Playground
from bot.process.supervisor import longest_stop_s
from engine import Fault, decode
from jobs.queue import connect
from jobs.redis import REDIS_ERRORS
from jobs.redis_server import embedded_url
from jobs.settings import WorkersSettings
from jobs.worker_registry import live_workers
from storage.database import open_database
from storage.note import State
from storage.telegram.ledger import TelegramLedger

POLL_S = 0.1
START_S = 120
STOP_S = longest_stop_s(WorkersSettings().grace_s) + 15
LAST_LINES = 15
LONGEST_S = 24 * 3600


class DemoFailed(Exception):
    """The system does not start or does not answer; `str()` says why."""


async def run_demo(settings: Settings, files: Sequence[Path], folder: Path, *, stay: bool) -> bool:
    """Send `files` as voice notes, print the chat, and tell whether all were transcribed.

    Args:
        settings: The engine, workers and log level to use.
        files: The recordings to send.
        folder: An empty data folder.
        stay: Keep running until interrupted, so that a person can try the chat page.

    Raises:
        DemoFailed: The system does not start or does not answer.
    """
    playground = Playground()
    await playground.start()
    try:
        async with EarshotProcess(
            environment(settings, playground, folder), folder / "earshot.log"
        ).running() as system:
            async with system.time_limit(START_S):
                await wait_for_bot(playground, system)
            async with system.time_limit(START_S + settings.engine.timeout_s):
                await wait_for_model(folder, system)
            ada = playground.user()
            chat = playground.private_chat(ada)
            sent = [playground.send_voice(chat, ada, file, duration=duration_s(file)) for file in files]
            names = {message.message_id: file.name for message, file in zip(sent, files, strict=True)}
            printer = ChatPrinter(playground, chat, names)
            async with system.time_limit(settings.engine.timeout_s * len(sent)):
                all_done = await print_until_answered(playground, sent, folder, printer, system)
            if stay:
                click.echo(f"\nTalk to the bot at {playground.url} (Ctrl-C ends the demo; its log is {system.log})\n")
                await keep_printing(playground, printer, system)
            return all_done
    finally:
        await playground.stop()


class EarshotProcess:
    """`earshot run` in a child process, with its log in a file."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        """Create it; `running` starts it."""
        self._environment, self.log = environment, log
        self._process: asyncio.subprocess.Process | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator["EarshotProcess"]:
        """Run it during the `with` block and stop it gracefully."""
        with self.log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bot", "run", "--until-stdin-closes"),
                env=self._environment, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        try:
            yield self
        finally:
            with suppress(ProcessLookupError):
                self._process.terminate()
            await asyncio.wait_for(self._process.wait(), STOP_S)

    def check(self) -> None:
        """Raise DemoFailed if the process has ended."""
        if self._process is None or self._process.returncode is not None:
            raise DemoFailed(f"Earshot stopped. The end of its log:\n{self.last_lines()}")

    @asynccontextmanager
    async def time_limit(self, seconds: float) -> AsyncIterator[None]:
        """Raise DemoFailed if the `with` block takes longer than `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            raise DemoFailed(f"No answer within {seconds:.0f} s. The end of the log:\n{self.last_lines()}") from None

    def last_lines(self) -> str:
        """Give the last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LAST_LINES:])


def environment(settings: Settings, playground: Playground, folder: Path) -> dict[str, str]:
    """Make the environment of `earshot run`: the engine of `settings`, and nothing else of the owner's installation."""
    (folder / "settings.toml").touch()
    others = {name: value for name, value in os.environ.items() if not name.upper().startswith(PREFIX)}
    return others | {
        CONFIG: str(folder / "settings.toml"),
        "EARSHOT_DATA_DIR": str(folder),
        "EARSHOT_TELEGRAM__TOKEN": playground.token,
        "EARSHOT_TELEGRAM__API_BASE": playground.url,
        "EARSHOT_ACCESS__OPEN": "true",
        "EARSHOT_ENGINE": settings.engine.model_dump_json(),
        "EARSHOT_WORKERS__COUNT": str(settings.workers.count or 1),
        "EARSHOT_LOG__LEVEL": settings.log.level,
    }


async def wait_for_bot(playground: Playground, system: EarshotProcess) -> None:
    """Wait for the bot's first getUpdates."""
    while not any(request.method == "getUpdates" for request in playground.requests):
        system.check()
        await asyncio.sleep(POLL_S)


async def wait_for_model(folder: Path, system: EarshotProcess) -> None:
    """Wait until the first worker has loaded its model and announces itself."""
    redis = connect(embedded_url(folder))
    try:
        is_loaded = False
        while not is_loaded:
            await asyncio.sleep(POLL_S)
            system.check()
            with suppress(*REDIS_ERRORS):  # Redis ends with the system, whose log tells why
                is_loaded = bool(await live_workers(redis))
    finally:
        await redis.aclose(close_connection_pool=True)


def duration_s(file: Path) -> int:
    """Give the duration in whole seconds, as a phone declares it; 0 when the file cannot be decoded."""
    try:
        return round(decode(file, max_audio_s=LONGEST_S).duration)
    except Fault:
        return 0


async def print_until_answered(
    playground: Playground, sent: Sequence[Message], folder: Path, printer: ChatPrinter, system: EarshotProcess
) -> bool:
    """Print the chat until all recordings are answered; tell whether all were transcribed."""
    database = await open_database("", folder)
    try:
        while True:
            states = [
                await answered_state(TelegramLedger(database), message, playground.state.bot.id) for message in sent
            ]
            printer.print_new()
            if all(states):
                return all(state is State.DONE for state in states)
            system.check()
            await playground.state.changed.wait(POLL_S)
    finally:
        await database.close()


async def answered_state(ledger: TelegramLedger, message: Message, bot_id: int) -> State | None:
    """Give the final state of a voice note; None until its answer is delivered."""
    note = await ledger.by_message(bot_id, message.chat.id, message.message_id)
    return note.state if note and note.delivered_at else None


async def keep_printing(playground: Playground, printer: ChatPrinter, system: EarshotProcess) -> None:
    """Print new messages until the process ends."""
    while True:
        await playground.state.changed.wait(1.0)
        printer.print_new()
        system.check()
