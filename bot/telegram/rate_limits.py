"""Middleware for rate limits: delays requests by the shared budget and by Telegram's 429 answers (retry_after)."""

import asyncio
import math
from time import monotonic
from typing import Any

import structlog
from aiogram import Bot
from aiogram.client.session.middlewares.base import BaseRequestMiddleware, NextRequestMiddlewareType
from aiogram.exceptions import TelegramRetryAfter
from aiogram.methods import Response, TelegramMethod
from aiogram.methods.base import TelegramType

from bot.telegram.rate_budget import RateBudget
from bot.telegram.request_policy import current_policy

SEND_PREFIXES = ("send", "forward", "copy")
_COUNTED_PREFIXES = (*SEND_PREFIXES, "editMessage")
_UNCOUNTED = ("sendChatAction", "sendMessageDraft")

log = structlog.get_logger(__name__)


class RateLimits(BaseRequestMiddleware):
    """Waits as long as the budget and Telegram ask, within the request's total timeout."""

    def __init__(self, budget: RateBudget | None) -> None:
        """Use a shared `budget`; None obeys only the 429 answers of this process."""
        self._budget = budget
        self._blocked_until: dict[str, float] = {}  # also in the budget, which may be away

    async def __call__(
        self,
        make_request: NextRequestMiddlewareType[TelegramType],
        bot: Bot,
        method: TelegramMethod[TelegramType],
    ) -> Response[TelegramType]:
        """Wait for the rate limits and make the request; repeat it after a 429."""
        deadline = monotonic() + current_policy().timeout_s
        while True:
            await self._wait_for_turn(bot, method, deadline)
            try:
                return await make_request(bot, method)
            except TelegramRetryAfter as flood:
                log.warning("flood_control", method=method.__api_method__, retry_after_s=flood.retry_after)
                await self._block(bot, _scope(method), flood.retry_after)

    async def _wait_for_turn(self, bot: Bot, method: TelegramMethod[Any], deadline: float) -> None:
        """Wait until the request may be made.

        Raises:
            TelegramRetryAfter: It may not be made before the deadline.
        """
        while (wait_s := await self._wait_s(bot, method)) > 0:
            if monotonic() + wait_s > deadline:
                raise TelegramRetryAfter(method=method, message="flood control", retry_after=math.ceil(wait_s))
            await asyncio.sleep(wait_s)

    async def _wait_s(self, bot: Bot, method: TelegramMethod[Any]) -> float:
        scope = _scope(method)
        wait_s = self._blocked_until.get(scope, 0.0) - monotonic()
        if wait_s > 0:
            return wait_s
        self._blocked_until.pop(scope, None)
        if self._budget is None:
            return 0.0
        return await self._budget.acquire(
            bot.id, scope, is_counted=_is_counted(method), is_low_priority=current_policy().is_low_priority
        )

    async def _block(self, bot: Bot, scope: str, seconds: float) -> None:
        self._blocked_until[scope] = monotonic() + seconds
        if self._budget is not None:
            await self._budget.block(bot.id, scope, seconds)


def _is_counted(method: TelegramMethod[Any]) -> bool:
    """Tell whether Telegram counts the request as a message: it sends or edits one."""
    name = method.__api_method__
    return name.startswith(_COUNTED_PREFIXES) and name not in _UNCOUNTED


def _scope(method: TelegramMethod[Any]) -> str:
    return str(getattr(method, "chat_id", None) or method.__api_method__)
