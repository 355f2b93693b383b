"""Middleware that retries idempotent Bot API calls with exponential back-off, and polling for ever."""

import asyncio
from math import inf
from time import monotonic
from typing import Any, cast

import aiohttp
from aiogram import Bot
from aiogram.client.session.middlewares.base import BaseRequestMiddleware, NextRequestMiddlewareType
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramBadRequest,
    TelegramNetworkError,
    TelegramServerError,
)
from aiogram.methods import GetUpdates, Response, TelegramMethod
from aiogram.methods.base import TelegramType

from bot.telegram.proxy import PROXY_ERRORS
from bot.telegram.rate_limits import SEND_PREFIXES
from bot.telegram.request_policy import current_policy, total_timeout
from jobs.resilience import Outage

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0
_NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, *PROXY_ERRORS)
_REMEDY = "check the network, telegram.proxy, a firewall, and telegram.api_base; it is tried again meanwhile"


class Retries(BaseRequestMiddleware):
    """Retries a failed request within its total timeout if repeating it cannot send a message twice."""

    def __init__(self) -> None:
        """Start in the state that Telegram is reachable."""
        self._outage = Outage("telegram")

    async def __call__(
        self,
        make_request: NextRequestMiddlewareType[TelegramType],
        bot: Bot,
        method: TelegramMethod[TelegramType],
    ) -> Response[TelegramType]:
        """Make the request, and retry it where that is safe. An edit that changes nothing counts as done."""
        deadline = inf if _is_poll(method) else monotonic() + current_policy().timeout_s
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                with total_timeout(max(0.0, deadline - monotonic())):
                    response = await make_request(bot, method)
            except TelegramBadRequest as refusal:
                if "message is not modified" not in refusal.message:
                    raise
                return cast("Response[TelegramType]", True)  # noqa: FBT003 - what Telegram answers to an edit
            except (TelegramNetworkError, TelegramServerError, ClientDecodeError, OSError) as error:
                if not _may_repeat(method, error) or monotonic() + pause_s > deadline:
                    raise
                self._outage.report_failure(error, method=type(method).__name__, remedy=_REMEDY)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            else:
                self._outage.report_success()
                return response


def _may_repeat(method: TelegramMethod[Any], error: Exception) -> bool:
    """Tell whether a retry cannot repeat an effect, or is allowed to."""
    if isinstance(method, GetUpdates):
        return _is_poll(method)
    was_never_sent = isinstance(error.__cause__, _NEVER_SENT)
    return was_never_sent or current_policy().may_send_twice or not _is_new_message(method)


def _is_poll(method: TelegramMethod[Any]) -> bool:
    """Tell whether this is long polling. aiogram would retry it too, but logs two lines each time."""
    return isinstance(method, GetUpdates) and bool(method.timeout)


def _is_new_message(method: TelegramMethod[Any]) -> bool:
    return method.__api_method__.startswith(SEND_PREFIXES)
