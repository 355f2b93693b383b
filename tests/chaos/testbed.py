"""A Bot API stand-in and a data folder in which processes are killed one after the other, each with its own note."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiogram.types import Message
from pydantic import SecretStr

from bot.config.settings import AccessSettings, Settings, TelegramSettings
from bot.playground.server import Playground
from bot.process.connections import open_ledger
from engine.settings import EngineSettings
from jobs.redis_server import RedisServer
from storage.telegram.ledger import TelegramLedger
from storage.telegram.message import TelegramNote
from tests.chaos.countdown import Countdown
from tests.chaos.verdict import UNFINISHED
from tests.end_to_end.installation import PATIENT, is_reply, write_noise
from tests.jobs.conftest import until
from tests.storage.samples import unfinished

NOTE_S = 0.5
WORK_S = 1.2  # long enough for a word of progress
PATIENCE_S = 120.0
FIRST_PERSON = 1000  # nobody has the number of the bot


@dataclass(slots=True)
class Trial:
    """A note in a chat of its own, the text that it has to be answered with, and the line at which a process died."""

    message: Message
    text: str
    died_at: str = ""


@dataclass(slots=True)
class Testbed:
    """The people, and what came of the trials so far."""

    __test__ = False  # for pytest, which takes a class of this name for tests

    playground: Playground
    settings: Settings
    ledger: TelegramLedger
    trials: list[Trial] = field(default_factory=list)

    def speak(self, seed: int | None = None) -> Trial:
        """Let somebody new send a note; every seed sounds different, and a note without one like no other."""
        number, sound = len(self.trials) + 1, self.settings.data_dir / "sound.wav"
        text = write_noise(sound, number if seed is None else seed, NOTE_S)
        person = self.playground.user(FIRST_PERSON + number)
        self.trials.append(Trial(self.playground.send_voice(self.playground.private_chat(person), person, sound), text))
        return self.trials[-1]

    def lasting(self) -> Settings:
        """Give settings with which the work on a note takes a while."""
        engine = self.settings.engine.model_copy(update={"fake_rtf": WORK_S / NOTE_S})
        return self.settings.model_copy(update={"engine": engine})

    async def welcomed(self, trial: Trial) -> TelegramNote:
        """Wait until the trial's note has its status reply, and give what the ledger holds of it."""
        message = trial.message

        async def find() -> TelegramNote | None:
            return await self.ledger.by_message(self.playground.state.bot.id, message.chat.id, message.message_id)

        async def is_welcomed() -> bool:
            note = await find()
            return note is not None and note.status_message_id is not None

        await until(is_welcomed, PATIENCE_S)
        note = await find()
        assert note is not None
        return note

    async def acknowledged(self) -> None:
        """Wait until a bot that was just started has taken every update."""
        before = len(self.playground.requests)

        def is_acknowledged() -> bool:
            polls = any(request.method == "getUpdates" for request in self.playground.requests[before:])
            return polls and not self.playground.state.updates.pending

        await until(is_acknowledged, PATIENCE_S)

    async def settled(self) -> None:
        """Wait until the ledger has every note as delivered."""

        async def is_settled() -> bool:
            return not await unfinished(self.ledger)

        await until(is_settled, PATIENCE_S)

    def delete_replies(self, trial: Trial) -> None:
        """Let whoever sent the note delete what the bot has said so far."""
        for said in self._said(trial):
            self.playground.delete(said)

    def countdown(self, dies_at: int | None = None, note_id: str | None = None) -> Countdown:
        """Prepare a countdown whose report nobody has written yet."""
        report = self.settings.data_dir / "report"
        report.unlink(missing_ok=True)
        return Countdown(report, dies_at, note_id)

    def faults(self) -> list[str]:
        """Name the trials whose chats show anything but the text, once, in replies to the note.

        A status reply whose sender died before it recorded it may be left beside the text.
        """
        shown = [(trial, [said for said in self._said(trial) if not _is_leftover(said)]) for trial in self.trials]
        return [f"{trial.died_at}: {_words(said)}" for trial, said in shown if not _is_answer(said, trial)]

    def deaths(self) -> list[str]:
        """Give the lines at which processes died."""
        return [trial.died_at for trial in self.trials if trial.died_at]

    def _said(self, trial: Trial) -> list[Message]:
        bot, chat = self.playground.state.bot, trial.message.chat
        return [said for said in self.playground.messages(chat) if said.from_user and said.from_user.id == bot.id]


def _is_leftover(said: Message) -> bool:
    return (said.text or "").startswith(UNFINISHED)


def _is_answer(said: Sequence[Message], trial: Trial) -> bool:
    text = " ".join(message.text or "" for message in said)
    return text == trial.text and all(is_reply(message, trial.message) for message in said)


def _words(said: Sequence[Message]) -> list[tuple[int, str]]:
    return [(message.message_id, (message.text or "")[:80]) for message in said]


@asynccontextmanager
async def prepared(folder: Path) -> AsyncIterator[Testbed]:
    """Start a Telegram and a Redis; no bot and no worker yet."""
    playground, redis = Playground(limits=PATIENT), RedisServer(folder)
    await playground.start()
    try:
        await redis.start()
        settings = Settings(
            data_dir=folder,
            telegram=TelegramSettings(token=SecretStr(playground.token), api_base=playground.url),
            access=AccessSettings(open=True),
            engine=EngineSettings(model="fake"),
        )
        async with open_ledger(settings) as ledger:
            yield Testbed(playground, settings, ledger)
    finally:
        await redis.stop()
        await playground.stop()
