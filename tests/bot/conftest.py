"""The system around a chat: the Bot API stand-in, a real Redis, a real ledger, the bot, and a worker with `fake`."""

import asyncio
import io
import ssl
import wave
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import TypeVar

import numpy as np
import pytest
from aiogram import Bot
from aiogram.client.session.middlewares.base import NextRequestMiddlewareType
from aiogram.methods import Response, TelegramMethod
from aiogram.methods.base import TelegramType
from aiogram.types import Chat, Message, User
from pydantic import SecretStr

from bot.chat.delivery import Delivery
from bot.chat.dispatch import BotApplication, build_dispatcher
from bot.chat.telegram_door import TelegramDoor
from bot.config.settings import AccessSettings, Settings, TelegramSettings
from bot.playground.rate_limits import Limits
from bot.playground.server import Playground
from bot.playground.stored_files import Kind
from bot.process.bot import serve
from bot.process.connections import open_artefacts, open_ledger, open_queue, open_redis
from bot.telegram import rate_budget
from bot.telegram.client import open_bot
from bot.telegram.rate_budget import RateWindow, RateWindows
from engine.settings import EngineSettings
from engine.speech import Engine
from jobs.queue import Queue
from jobs.redis_server import RedisServer
from jobs.worker import run_worker
from storage.telegram.ledger import TelegramLedger
from storage.telegram.message import TelegramNote
from tests.jobs.conftest import waiting

ADA, BOB, ROOT = 1, 2, 9
CLUB = -1_001_000_000_777  # a group in which everybody may use the bot
PATIENT_LIMITS = Limits(chat_per_s=1000, chat_burst=1000, group_per_minute=10_000, total_per_s=1000)
PATIENT_WINDOWS = RateWindows(chat=RateWindow(1000, 1), group=RateWindow(1000, 1), all=RateWindow(1000, 1))


def sound(seed: int = 0, *, seconds: float = 1.0) -> bytes:
    """Make a wave file; every seed sounds different."""
    noise = np.random.default_rng(seed).integers(-9000, 9000, round(16_000 * seconds), dtype=np.int16)
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16_000)
        out.writeframes(noise.tobytes())
    return file.getvalue()


@dataclass(eq=False)
class HeldRequest:
    """A request that waits before it reaches the Bot API."""

    method: str
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(
        self,
        make_request: NextRequestMiddlewareType[TelegramType],
        bot: Bot,
        method: TelegramMethod[TelegramType],
    ) -> Response[TelegramType]:
        if method.__api_method__ == self.method and not self.arrived.is_set():
            self.arrived.set()
            await self.released.wait()
        return await make_request(bot, method)


@dataclass
class House:
    """Everything that runs, and the people who talk to it."""

    playground: Playground
    settings: Settings
    ledger: TelegramLedger
    queue: Queue
    bot: Bot
    app: BotApplication
    stack: AsyncExitStack
    windows: RateWindows
    people: dict[int, User] = field(default_factory=dict)

    def person(self, id: int = ADA, language: str = "en") -> User:  # noqa: A002 - Telegram's own word
        """Give somebody, the same for the same id."""
        return self.people.setdefault(id, self.playground.user(id, language, first_name=f"P{id}"))

    def chat(self, id: int = ADA) -> Chat:  # noqa: A002 - Telegram's own word
        """Give somebody's private chat."""
        return self.playground.private_chat(self.person(id))

    def say(self, text: str, *, id: int = ADA, reply_to: Message | None = None) -> Message:  # noqa: A002 - as above
        """Let somebody write to the bot in private."""
        return self.playground.send_text(self.chat(id), self.person(id), text, reply_to=reply_to)

    def speak(  # noqa: PLR0913 - all that a recording may be
        self,
        seed: int = 0,
        *,
        id: int = ADA,  # noqa: A002 - as above
        kind: Kind = "voice",
        mime: str | None = None,
        file_name: str | None = None,
        forwarded: bool = False,
    ) -> Message:
        """Let somebody send a recording in private."""
        return self.playground.send_voice(
            self.chat(id), self.person(id), sound(seed), kind=kind, mime=mime, file_name=file_name, forwarded=forwarded
        )

    def hold_next(self, method: str) -> "HeldRequest":
        """Keep the bot's next request of a method back until the test lets it go."""
        held = HeldRequest(method)
        self.bot.session.middleware(held)
        return held

    async def hear(self, words: str, *, chat: Chat | None = None, timeout: float = 15) -> Message:  # noqa: ASYNC109 - the playground's own word
        """Wait until the bot says something with these words."""
        return await self.playground.wait_for(
            lambda message: words in (message.text or message.caption or "") and chat in {None, message.chat}, timeout
        )

    async def answered(self, note: Message) -> Message:
        """Wait for the text of a voice note."""
        return await self.playground.wait_for(
            lambda message: _replies_to(message, note) and (message.text or "").startswith("fake "), 20
        )

    async def note_of(self, message: Message) -> TelegramNote:
        """Wait until the ledger knows a message, and give what it holds of it."""
        return await awaited(lambda: self.ledger.by_message(self.bot.id, message.chat.id, message.message_id))

    async def delivered(self, message: Message) -> TelegramNote:
        """Wait until the ledger knows how a note ended, and that its chat was told so or can never be."""

        async def over() -> TelegramNote | None:
            note = await self.note_of(message)
            return note if note.is_settled else None

        return await awaited(over, within_s=60)  # many notes at once keep a busy machine busy

    async def waits_in_a_group_that_moves(self) -> tuple[Message, Chat, Chat]:
        """Let a note wait in a group, and the group turn into another: gives the note, the old group and the new."""
        group = self.playground.group(-5, members=(self.person(),))
        note = self.playground.send_voice(group, self.person(), sound(15))
        await self.hear("In the queue")
        await self.queued(1)
        return note, group, self.playground.upgrade(group, self.person())

    async def waits_in_a_topic(self) -> tuple[Message, int]:
        """Let a note wait in a topic of a forum: gives the note and the topic."""
        ada = self.person()
        forum = self.playground.group(forum=True, members=(ada,))
        thread = self.playground.topic(forum, ada, "Talks")
        note = self.playground.send_voice(forum, ada, sound(18), thread_id=thread)
        await self.hear("In the queue")
        await self.queued(1)
        return note, thread

    async def until_said(self, count: int) -> None:
        """Wait until the bot has said so much in private."""
        await until(lambda: len(self.texts(self.chat())) >= count)

    async def queued(self, count: int) -> None:
        """Wait until so many notes wait in the queue."""

        async def waits() -> bool:
            return len(await waiting(self.queue)) == count

        await awaited(waits)

    async def press(self, message: Message, label: str, *, by: int = ADA) -> str:
        """Press the button with this label, and wait until the bot took notice; gives what it said to that."""
        assert message.reply_markup is not None
        buttons = [button for row in message.reply_markup.inline_keyboard for button in row]
        data = next(button.callback_data for button in buttons if button.text == label)
        query = self.playground.press(message, str(data), self.person(by))
        await until(lambda: bool(self.playground.answers_to(query)))
        return self.playground.answers_to(query)[0] or ""

    async def start_worker(self) -> None:
        """Let a worker run until the end of the test."""
        await self.stack.enter_async_context(_working(self.settings, self.ledger, self.windows))

    def texts(self, chat: Chat) -> list[str]:
        """Give what the bot shows in a chat now."""
        bot_id = self.bot.id
        return [
            message.text or ""
            for message in self.playground.messages(chat)
            if message.from_user and message.from_user.id == bot_id
        ]


Found = TypeVar("Found")


async def awaited(look: Callable[[], Awaitable[Found | None]], within_s: float = 15) -> Found:
    """Look again and again until there is something."""
    async with asyncio.timeout(within_s):
        while not (found := await look()):  # noqa: ASYNC110 - what is looked at tells nobody when it changes
            await asyncio.sleep(0.03)
    return found


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""

    async def look() -> bool:
        return condition()

    await awaited(look)


@pytest.fixture(scope="session", autouse=True)
def certificates() -> Iterator[None]:
    """Read the certificates that are trusted once, and not for each bot: that takes longer than many tests."""
    once = SimpleNamespace(create_default_context=cache(ssl.create_default_context))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("aiogram.client.session.aiohttp.ssl", once)
        yield


@pytest.fixture(autouse=True)
def unhurried_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis that is slow because the machine is busy counts all the same."""
    monkeypatch.setattr(rate_budget, "ANSWER_S", 10.0)


@pytest.fixture
def settings(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a closed bot whose friends are known."""
    monkeypatch.setenv("EARSHOT_CONFIG", str(data_dir / "none.toml"))
    return Settings(
        data_dir=data_dir,
        telegram=TelegramSettings(token=SecretStr("42:playground")),
        access=AccessSettings(admins=frozenset({ROOT}), users=frozenset({ADA, BOB}), chats=frozenset({CLUB})),
        engine=EngineSettings(model="fake"),
    )


@pytest.fixture
async def playground() -> AsyncIterator[Playground]:
    """Telegram; at the end it must have nothing to complain about."""
    server = Playground(limits=PATIENT_LIMITS)
    await server.start()
    yield server
    await server.stop()
    assert server.violations == []


@pytest.fixture
async def house(settings: Settings, playground: Playground) -> AsyncIterator[House]:
    """The bot at work, without a worker yet."""
    async with open_house(settings, playground) as whole:
        yield whole


@asynccontextmanager
async def open_house(
    settings: Settings, playground: Playground, windows: RateWindows = PATIENT_WINDOWS
) -> AsyncIterator[House]:
    """Start everything but a worker."""
    telegram = settings.telegram.model_copy(update={"api_base": playground.url})
    settings = settings.model_copy(update={"telegram": telegram})
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(running_redis(settings))
        ledger = await stack.enter_async_context(open_ledger(settings))
        queue = await stack.enter_async_context(open_queue(settings))
        bot = await stack.enter_async_context(open_bot(settings.telegram, open_redis(settings), windows))
        app = build_dispatcher(settings, bot, ledger, queue, open_artefacts(settings, ledger))
        await stack.enter_async_context(_serving(settings, app))
        workers = await stack.enter_async_context(AsyncExitStack())
        yield House(playground, settings, ledger, queue, bot, app, workers, windows)


@asynccontextmanager
async def running_redis(settings: Settings) -> AsyncIterator[RedisServer]:
    """Run the embedded Redis of these settings."""
    server = RedisServer(settings.data_dir)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def _serving(settings: Settings, app: BotApplication) -> AsyncIterator[None]:
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(settings, app, stop))
    try:
        yield
    finally:
        stop.set()
        await serving


@asynccontextmanager
async def _working(settings: Settings, ledger: TelegramLedger, windows: RateWindows) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        redis = open_redis(settings)
        stack.push_async_callback(redis.aclose, close_connection_pool=True)
        bot = await stack.enter_async_context(open_bot(settings.telegram, open_redis(settings), windows))
        working = asyncio.create_task(
            run_worker(
                engine=Engine.open(settings.engine),
                ledger=ledger,
                redis=redis,
                door=TelegramDoor(Delivery(bot, ledger)),
                artefacts=open_artefacts(settings, ledger),
                data_dir=settings.data_dir,
                timeout_s=60,
                grace_s=1,
            )
        )
        stack.push_async_callback(_ended, working)
        yield


async def _ended(working: asyncio.Task[None]) -> None:
    while not working.done():  # a library below may take a cancellation for the end of its own time limit
        working.cancel()
        await asyncio.wait({working}, timeout=3)


def _replies_to(message: Message, note: Message) -> bool:
    answered = message.reply_to_message
    return message.chat.id == note.chat.id and answered is not None and answered.message_id == note.message_id


@pytest.fixture
async def slow_house(settings: Settings, playground: Playground) -> AsyncIterator[House]:
    """A house whose engine takes as long as the recording."""
    slow = settings.model_copy(update={"engine": EngineSettings(model="fake", fake_rtf=1.0)})
    async with open_house(slow, playground) as whole:
        yield whole
