"""The whole program as an owner runs it, against the Bot API stand-in, with access to its processes and chats."""

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from aiogram.types import Chat, Message, User

from bot.chat.delivery import PLACEHOLDER
from bot.playground.rate_limits import Limits
from bot.playground.server import Playground

PATIENT = Limits(chat_per_s=1000, chat_burst=1000, group_per_minute=10_000, total_per_s=1000)
PROGRAM = (sys.executable, "-m", "bot")
START_S, STOP_S = 90, 60
ANSWER_S = 110  # a busy machine reads speech as slowly as it was spoken, and an answer may wait for two such notes


@dataclass
class Installation:
    """One data folder, one Telegram, and the processes that are at work on them."""

    playground: Playground
    folder: Path
    settings: dict[str, str]
    process: asyncio.subprocess.Process | None = None

    @property
    def person(self) -> User:
        """Give the admin."""
        return self.playground.user(1)

    @property
    def chat(self) -> Chat:
        """Give the admin's private chat."""
        return self.playground.private_chat(self.person)

    async def start(self, role: str = "run") -> asyncio.subprocess.Process:
        """Start a role of the program, its log beside the data."""
        with (self.folder / f"{role}.log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *(*PROGRAM, role, "--until-stdin-closes"),
                env=self.environment(), stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    async def ask(self, *arguments: str) -> str:
        """Run a command of the program, and give what it prints."""
        asking = await asyncio.create_subprocess_exec(
            *PROGRAM, *arguments, env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        printed, complaints = await asking.communicate()
        assert asking.returncode == 0, complaints.decode()
        return printed.decode()

    def speak(self, sound: Path | bytes, **options: object) -> Message:
        """Let the admin send a recording in private."""
        return self.playground.send_voice(self.chat, self.person, sound, **options)  # type: ignore[arg-type]  # options are the playground's own

    async def status_of(self, note: Message, words: str = "", within_s: float = 60) -> Message:
        """Wait until the status reply to `note` holds `words`."""
        try:
            return await self.playground.wait_for(
                lambda said: is_reply(said, note) and words in (said.text or ""), within_s
            )
        except TimeoutError:
            raise AssertionError(f"no reply with {words!r}. The log:\n{self.log_end()}") from None

    async def text_of(self, note: Message, within_s: float = ANSWER_S) -> str:
        """Wait until `note` is answered for good, and give the answer."""
        answered = await self.playground.wait_for(lambda said: is_reply(said, note) and is_final(said), within_s)
        return answered.text or ""

    def replies_to(self, note: Message) -> list[str]:
        """Give all that the chat now shows as replies to `note`."""
        return [said.text or "" for said in self.playground.messages(note.chat) if is_reply(said, note)]

    def children(self, role: str) -> list[int]:
        """Give the process ids of the children of `earshot run` in that role."""
        assert self.process is not None
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in listed if role in command_line(int(pid))]

    def log_end(self) -> str:
        """Give the end of the logs."""
        return "\n".join("\n".join(log.read_text().splitlines()[-25:]) for log in sorted(self.folder.glob("*.log")))

    def environment(self) -> dict[str, str]:
        """Give what the program finds in its environment."""
        owners = {name: value for name, value in os.environ.items() if not name.startswith("EARSHOT_")}
        if models := os.environ.get("EARSHOT_ENGINE__MODELS_DIR"):
            owners["EARSHOT_ENGINE__MODELS_DIR"] = models
        return owners | {
            "EARSHOT_CONFIG": str(self.folder / "settings.toml"),
            "EARSHOT_DATA_DIR": str(self.folder),
            "EARSHOT_TELEGRAM__TOKEN": self.playground.token,
            "EARSHOT_TELEGRAM__API_BASE": self.playground.url,
            "EARSHOT_ACCESS__ADMINS": "[1]",
            "EARSHOT_WORKERS__COUNT": "1",
            **self.settings,
        }


@asynccontextmanager
async def installed(folder: Path, **settings: str) -> AsyncIterator[Installation]:
    """Prepare an installation with these settings (`engine__model="fake"`); nothing runs yet."""
    (folder / "settings.toml").touch()
    playground = Playground(limits=PATIENT)
    await playground.start()
    named = {f"EARSHOT_{name.upper()}": value for name, value in settings.items()}
    try:
        yield Installation(playground, folder, named)
    finally:
        await playground.stop()
    # A worker that takes over cannot know what the one before it has shown already.
    assert [words for words in playground.violations if "message is not modified" not in words] == []


@asynccontextmanager
async def running(place: Installation) -> AsyncIterator[Installation]:
    """Run `earshot run` inside the block until it polls, and end it with SIGTERM.

    It has to exit with 0 and to leave no process behind.
    """
    place.process = process = await place.start()
    try:
        await polls(place, process)
        yield place
    finally:
        children: list[int] = []
        with suppress(OSError):  # it has ended already
            children = place.children("")
            process.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(process.wait(), STOP_S)
    assert code == 0, place.log_end()
    assert not any(map(command_line, children))


async def polls(place: Installation, process: asyncio.subprocess.Process) -> None:
    """Wait until the bot asks for updates."""
    before = len(place.playground.requests)
    async with asyncio.timeout(START_S):
        while not any(request.method == "getUpdates" for request in place.playground.requests[before:]):
            assert process.returncode is None, place.log_end()
            await asyncio.sleep(0.05)


def is_reply(said: Message, note: Message) -> bool:
    """Tell whether `said` is a reply to `note`."""
    answered = said.reply_to_message
    return said.chat.id == note.chat.id and answered is not None and answered.message_id == note.message_id


def is_final(said: Message) -> bool:
    """Tell whether a status reply says the last it will say."""
    return not (said.text or "").startswith(("In the queue", "Transcribing", PLACEHOLDER))


def command_line(pid: int) -> str:
    """Give how a process was started; nothing when it is gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


def mapped_files(pid: int) -> str:
    """Name the files, libraries among them, that a process has loaded."""
    return Path(f"/proc/{pid}/maps").read_text()


def write_noise(path: Path, seed: int, seconds: float) -> str:
    """Write a wave file that sounds like no other, and give what the model `fake` answers to it."""
    noise = np.random.default_rng(seed).integers(-9000, 9000, round(16_000 * seconds), dtype="<i2").tobytes()
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16_000)
        out.writeframes(noise)
    return f"fake {seconds:.1f}s {hashlib.sha256(noise).hexdigest()[:8]}"


def words_of(text: str) -> list[str]:
    """Give the words of a text as they sound: no capitals, no punctuation."""
    return "".join(letter if letter.isalnum() else " " for letter in text.lower()).split()
