"""The bot's line to the Bot API: one address, obeys flood control, repeats what may be repeated.

Nothing that leaves this file holds the token.
"""

import asyncio
import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

import aiohttp
import structlog
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.session.middlewares.base import BaseRequestMiddleware, NextRequestMiddlewareType
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramBadRequest,
    TelegramMigrateToChat,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
)
from aiogram.methods import GetUpdates, Response, TelegramMethod
from aiogram.methods.base import TelegramType
from aiogram.types import Update
from pydantic import ValidationError

from bot.errors import TokenMissing
from bot.settings import TelegramSettings

REQUEST_TIMEOUT_S = 30
PATIENCE_S = 60.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 10.0
_NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
_REMEDY = "check the network, a proxy or firewall, and telegram.api_base; it is tried again meanwhile"
_SENDS = ("send", "forward", "copy")

_patience_s: ContextVar[float] = ContextVar("patience_s", default=PATIENCE_S)

log = structlog.get_logger(__name__)


def make_bot(settings: TelegramSettings) -> Bot:
    """Make the bot that `settings` describe.

    Raises:
        TokenMissing: the token is empty.
    """
    token = settings.token.get_secret_value()
    if not token:
        raise TokenMissing
    session = _Session(api=TelegramAPIServer.from_base(settings.api_base), timeout=REQUEST_TIMEOUT_S)
    session.middleware(Persistence())
    return Bot(token, session=session)


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Wait and repeat for so long inside the `with` block; with 0 nothing is repeated and no flood is waited out."""
    token = _patience_s.set(seconds)
    try:
        yield
    finally:
        _patience_s.reset(token)


class Persistence(BaseRequestMiddleware):
    """Waits as long as flood control asks, follows a group that moved, and repeats what cannot do harm."""

    def __init__(self) -> None:
        """Begin with no chat flooded."""
        self._quiet_until: dict[object, float] = {}

    async def __call__(
        self,
        make_request: NextRequestMiddlewareType[TelegramType],
        bot: Bot,
        method: TelegramMethod[TelegramType],
    ) -> Response[TelegramType]:
        """Make the request, and make it again where that is right."""
        deadline = _now() + _patience_s.get()
        pause_s = _FIRST_PAUSE_S
        while True:
            await self._keep_quiet(method)
            try:
                return await make_request(bot, method)
            except TelegramRetryAfter as flood:
                self._quiet_until[_chat(method)] = _now() + flood.retry_after
                log.warning("flood_control", method=type(method).__name__, retry_after_s=flood.retry_after)
            except TelegramMigrateToChat as moved:
                if not _is_new_message(method):
                    raise
                method = method.model_copy(update={"chat_id": moved.migrate_to_chat_id})
            except TelegramBadRequest as refusal:
                if "message is not modified" not in refusal.message:
                    raise
                return cast("Response[TelegramType]", True)  # noqa: FBT003 - what Telegram answers to an edit
            except (TelegramNetworkError, TelegramServerError, ClientDecodeError, OSError) as error:
                if not _may_repeat(method, error) or _now() + pause_s > deadline:
                    raise
                if pause_s == _FIRST_PAUSE_S:
                    log.warning("telegram_unreachable", method=type(method).__name__, remedy=_REMEDY)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def _keep_quiet(self, method: TelegramMethod[Any]) -> None:
        wait_s = self._quiet_until.get(_chat(method), 0.0) - _now()
        if wait_s <= 0:
            self._quiet_until.pop(_chat(method), None)
        elif wait_s <= _patience_s.get():
            await asyncio.sleep(wait_s)
        else:
            raise TelegramRetryAfter(method=method, message="flood control", retry_after=math.ceil(wait_s))


class _Session(AiohttpSession):
    """Keeps the token out of errors; hands on the updates that can be read when one of them cannot."""

    async def make_request(
        self,
        bot: Bot,
        method: TelegramMethod[TelegramType],
        timeout: int | None = None,  # noqa: ASYNC109 - the signature is aiogram's
    ) -> TelegramType:
        try:
            return cast("TelegramType", await super().make_request(bot, method, timeout))
        except TelegramNetworkError as error:
            if bot.token not in error.message:
                raise
            message = error.message.replace(bot.token, "<token>")
        raise TelegramNetworkError(method, message)

    def check_response(
        self, bot: Bot, method: TelegramMethod[TelegramType], status_code: int, content: str
    ) -> Response[TelegramType]:
        try:
            return super().check_response(bot, method, status_code, content)
        except ClientDecodeError as error:
            if not isinstance(method, GetUpdates) or not isinstance(error.original, ValidationError):
                raise
            updates = [_readable(update, bot) for update in self.json_loads(content)["result"]]
            return cast("Response[TelegramType]", Response[list[Update]](ok=True, result=updates))


def _readable(raw: dict[str, Any], bot: Bot) -> Update:
    try:
        return Update.model_validate(raw, context={"bot": bot})
    except ValidationError as error:
        log.warning("update_unreadable", update_id=raw["update_id"], errors=error.error_count())
        return Update(update_id=raw["update_id"])


def _may_repeat(method: TelegramMethod[Any], error: Exception) -> bool:
    """Tell whether asking again cannot do a thing twice. aiogram repeats getUpdates by itself."""
    if isinstance(method, GetUpdates):
        return False
    if not _is_new_message(method):
        return True
    return isinstance(error, TelegramServerError) or isinstance(error.__cause__, _NEVER_SENT)


def _is_new_message(method: TelegramMethod[Any]) -> bool:
    return method.__api_method__.startswith(_SENDS)


def _chat(method: TelegramMethod[Any]) -> object:
    return getattr(method, "chat_id", None) or method.__api_method__


def _now() -> float:
    return asyncio.get_running_loop().time()
