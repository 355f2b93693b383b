"""The stand-in for Telegram: a Bot API server on the loopback, with simulated users and injected faults."""

import asyncio
import contextlib
import time
from collections.abc import Callable

from aiogram.types import Message, User
from aiohttp import web

from bot.playground.api_errors import ApiError
from bot.playground.endpoint import Endpoint, Request, RequestLog
from bot.playground.fault_injection import Drop, Fault, FaultInjector
from bot.playground.loopback_only import reject_foreign_requests
from bot.playground.page import Page
from bot.playground.rate_limits import Limits, RateLimiter
from bot.playground.request_parsing import MAX_BODY, Fields
from bot.playground.state import ServerState
from bot.playground.users import SimulatedUsers
from bot.playground.webhook import WebhookSender

HOST = "127.0.0.1"
TOKEN = "42:playground"  # noqa: S105 - opens nothing but this toy
SHUTDOWN_S = 0.2
MALFORMED: dict[str, object] = {"message": {"message_id": "no number", "date": "never", "chat": 0}}


class Playground(SimulatedUsers):
    """A Bot API server on the loopback with one bot, and the users who write to it."""

    def __init__(self, token: str = TOKEN, *, strict: bool = True, limits: Limits | None = None) -> None:
        """Create it; `strict` enforces Telegram's rate limits, or `limits`."""
        bot = User(
            id=int(token.partition(":")[0]), is_bot=True, first_name="Earshot", username="earshot_bot",
            can_join_groups=True, can_read_all_group_messages=True, supports_inline_queries=False,
        )  # fmt: skip
        super().__init__(ServerState(bot))
        self.token = token
        self.url = ""
        self.faults = FaultInjector()
        self.log = RequestLog()
        self.rate_limiter = RateLimiter(self._clock, (limits or Limits()) if strict else None)
        self.endpoint = Endpoint(self.state, token, self.faults, self.rate_limiter, self.log)
        self.webhook_sender = WebhookSender(self.state, self._call_method)
        self.page = Page(self)
        self._runner: web.AppRunner | None = None
        self._webhook_task: asyncio.Task[None] | None = None

    def _clock(self) -> float:
        return time.monotonic() + self.state.clock_offset_s

    # Running

    async def start(self, port: int = 0) -> None:
        """Listen on `port` (0: any free one); after `stop`, the same state is served again."""
        self.page.closing.clear()
        app = web.Application(client_max_size=MAX_BODY, middlewares=[reject_foreign_requests])
        app.add_routes([*self.endpoint.routes(), *self.page.routes()])
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=SHUTDOWN_S)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, port).start()
        self.url = f"http://{HOST}:{self._runner.addresses[0][1]}"
        self._webhook_task = asyncio.create_task(self.webhook_sender.run())

    async def stop(self) -> None:
        """Stop listening and close all connections."""
        self.page.closing.set()
        self.state.changed.notify_all()
        if self._webhook_task is not None:
            self._webhook_task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._webhook_task
        await self.webhook_sender.stop()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _call_method(self, method: str, fields: Fields) -> None:
        request = Request(method, fields.texts, time.monotonic(), tuple(fields.files))
        self.log.requests.append(request)
        try:
            await self.endpoint.call_method(request, fields)
        except ApiError as error:
            self.log.record_error(request, error)

    # Inspection

    @property
    def requests(self) -> list[Request]:
        """Every request so far."""
        return self.log.requests

    @property
    def violations(self) -> list[str]:
        """Avoidable errors of the bot: what Telegram refuses, and wrong fields that it would ignore."""
        return self.log.violations

    @property
    def refusals(self) -> list[str]:
        """Errors that the bot could not avoid, such as editing a message that a user has just deleted."""
        return self.log.refusals

    @property
    def floods(self) -> list[str]:
        """Every answer 429."""
        return self.log.floods

    async def wait_for(self, predicate: Callable[[Message], bool], timeout: float = 10.0) -> Message:  # noqa: ASYNC109 - the name is in the contract
        """Wait up to `timeout` seconds for a message of the bot that matches, and give the newest.

        Raises:
            TimeoutError: None matched.
        """
        ends = time.monotonic() + timeout
        while True:
            fitting = [message for message in self._said() if predicate(message)]
            if fitting:
                return fitting[-1]
            left = ends - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no message fits after {timeout:g} s; the bot said: {self._summary()}")
            await self.state.changed.wait(left)

    def _said(self) -> list[Message]:
        shown = [message for chat in self.state.conversations.values() for message in chat.messages.values()]
        return [message for message in shown if message.from_user and message.from_user.id == self.state.bot.id]

    def _summary(self) -> list[str]:
        return [message.text or message.caption or message.content_type for message in self._said()]

    # Faults

    def fail_next(  # noqa: PLR0913 - all that may go wrong
        self,
        method: str | None = None,
        *,
        code: int | None = None,
        times: int = 1,
        retry_after: int | None = None,
        drop: Drop | None = None,
        delay_s: float = 0.0,
        frozen: bool = False,
        chat_id: int | None = None,
        description: str | None = None,
    ) -> None:
        """Inject a fault into the next `times` requests to `method` (None: any; "download": files). See `Fault`."""
        fault = Fault(
            method=method, chat_id=chat_id, times=times, code=code, description=description, retry_after=retry_after,
            drop=drop, delay_s=delay_s, frozen=frozen,
        )  # fmt: skip
        self.faults.add(fault)

    def pause(self) -> None:
        """Accept requests and answer none."""
        self.endpoint.resumed.clear()

    def resume(self) -> None:
        """Answer again, also the requests that waited."""
        self.endpoint.resumed.set()

    def send_malformed_update(self) -> int:
        """Queue an update that cannot be decoded, and give its id."""
        return self.state.updates.add_unchecked(MALFORMED)

    def redeliver(self, count: int = 1) -> None:
        """Deliver the last `count` confirmed updates again."""
        self.state.updates.redeliver(count)

    def expire_file_links(self) -> None:
        """Expire all download links of getFile."""
        self.state.files.expire_links()

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self.state.clock_offset_s += seconds
