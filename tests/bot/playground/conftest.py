from collections.abc import AsyncIterator
from functools import cache

import pytest
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import Chat, User
from aiohttp import ClientSession
from hypothesis import settings

from bot.playground.server import Playground

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


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


@cache
def quick_session() -> QuickSession:
    """Make it once: reading the certificates, which nobody needs here, takes longer than a test."""
    return QuickSession()


@pytest.fixture
async def bot(playground: Playground) -> AsyncIterator[Bot]:
    session = quick_session()
    session.api = TelegramAPIServer.from_base(playground.url)
    yield Bot(playground.token, session=session)
    await session.close()


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
