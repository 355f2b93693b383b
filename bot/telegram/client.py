"""Makes aiogram's `Bot` with shared rate limits, retries, and errors without the token.

What this module raises or logs never contains the token.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, cast

import structlog
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import ClientDecodeError, TelegramNetworkError
from aiogram.methods import GetUpdates, Response, TelegramMethod
from aiogram.methods.base import TelegramType
from aiogram.types import Update
from pydantic import ValidationError

from bot.config.settings import TelegramSettings
from bot.telegram.errors import TokenMissing
from bot.telegram.proxy import PROXY_ERRORS, proxy_url
from bot.telegram.rate_budget import DEFAULT_WINDOWS, RateBudget, RateWindows
from bot.telegram.rate_limits import RateLimits
from bot.telegram.retries import Retries
from bot.telegram.unreadable import unreadable_update
from jobs.redis import PrefixedRedis
from storage.storable import storable_text

REQUEST_TIMEOUT_S = 30
SURROGATE = "\\ud"  # how each of them begins in JSON

log = structlog.get_logger(__name__)


def make_bot(settings: TelegramSettings, budget: RateBudget | None = None) -> Bot:
    """Make the bot that `settings` describe. Without a budget it only waits when Telegram tells it to.

    Raises:
        TokenMissing: The token is empty.
    """
    token = settings.token.get_secret_value()
    if not token:
        raise TokenMissing
    session = _Session(
        proxy=proxy_url(settings),
        api=TelegramAPIServer.from_base(settings.api_base),
        timeout=REQUEST_TIMEOUT_S,
        json_loads=_load_json,
    )
    session.middleware(Retries())
    session.middleware(RateLimits(budget))
    return Bot(token, session=session)


@asynccontextmanager
async def open_bot(
    settings: TelegramSettings, redis: PrefixedRedis, windows: RateWindows = DEFAULT_WINDOWS
) -> AsyncIterator[Bot]:
    """Open a bot that shares its rate budget with all other processes through `redis`; close both.

    Raises:
        TokenMissing: The token is empty.
    """
    try:
        async with make_bot(settings, RateBudget(redis, windows)) as bot:
            yield bot
    finally:
        await redis.aclose(close_connection_pool=True)


class _Session(AiohttpSession):
    """Removes the token from errors; skips an update that cannot be decoded instead of failing the whole batch."""

    async def make_request(
        self,
        bot: Bot,
        method: TelegramMethod[TelegramType],
        timeout: int | None = None,  # noqa: ASYNC109 - the signature is aiogram's
    ) -> TelegramType:
        try:
            return cast("TelegramType", await super().make_request(bot, method, timeout))
        except PROXY_ERRORS as error:
            raise TelegramNetworkError(method, f"the proxy: {error}") from error
        except TelegramNetworkError as error:
            if bot.token not in error.message:
                raise
            message = error.message.replace(bot.token, "<token>")
        raise TelegramNetworkError(method, message)

    def check_response(
        self, bot: Bot, method: TelegramMethod[TelegramType], status_code: int, content: str
    ) -> Response[TelegramType]:
        _response_type(method.__returning__)
        try:
            return super().check_response(bot, method, status_code, content)
        except ClientDecodeError as error:
            if not isinstance(method, GetUpdates) or not isinstance(error.original, ValidationError):
                raise
            updates = [_decode_update(update, bot) for update in self.json_loads(content)["result"]]
            return cast("Response[TelegramType]", Response[list[Update]](ok=True, result=updates))


@cache
def _response_type(returning: object) -> type[Response[Any]]:
    """Hold the type of an answer: pydantic forgets one that nobody holds, and takes long to build it anew."""
    return cast("type[Response[Any]]", Response[returning])  # type: ignore[valid-type] # known at run time only


def _load_json(text: str) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """Decode JSON. Half of a surrogate pair, for which an update would be refused as a whole, is replaced."""
    decoded = json.loads(text)
    return _without_surrogates(decoded) if SURROGATE in text.lower() else decoded


def _without_surrogates(value: Any) -> Any:  # noqa: ANN401 - as above
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {name: _without_surrogates(item) for name, item in value.items()}
    return value


def _decode_update(raw: dict[str, Any], bot: Bot) -> Update:
    try:
        return Update.model_validate(raw, context={"bot": bot})
    except ValidationError as error:
        log.warning("update_unreadable", update_id=raw["update_id"], errors=error.error_count())
        return unreadable_update(raw)
