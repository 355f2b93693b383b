from collections.abc import AsyncIterator

import pytest
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import Chat, User
from aiohttp import ClientSession

from bot.playground.server import Playground


class QuickSession(AiohttpSession):
    """Closes without the pause that aiogram makes for TLS connections, of which there are none here."""

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


@pytest.fixture
async def playground() -> AsyncIterator[Playground]:
    playground = Playground()
    await playground.start()
    yield playground
    await playground.stop()


@pytest.fixture
async def bot(playground: Playground) -> AsyncIterator[Bot]:
    bot = Bot(playground.token, session=QuickSession(api=TelegramAPIServer.from_base(playground.url)))
    yield bot
    await bot.session.close()


@pytest.fixture
async def http(playground: Playground) -> AsyncIterator[ClientSession]:
    async with ClientSession(base_url=playground.url) as session:
        yield session


@pytest.fixture
def ada(playground: Playground) -> User:
    return playground.user(1)


@pytest.fixture
def chat(playground: Playground, ada: User) -> Chat:
    return playground.private_chat(ada)


@pytest.fixture
def forum(playground: Playground, ada: User) -> Chat:
    return playground.group(-1_001_000_000_007, "Team", forum=True, administrators=(ada,))
