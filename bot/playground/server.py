"""The stand-in itself: the Bot API over HTTP on this machine, with people to play."""

import asyncio
import contextlib
import time
from collections.abc import Callable

from aiogram.types import Message, User
from aiohttp import web

from bot.playground.api_errors import Refusal
from bot.playground.endpoint import Endpoint, Journal, Request
from bot.playground.fault_injection import Drop, Fault, Faults
from bot.playground.loopback_only import gate
from bot.playground.page import Page
from bot.playground.rate_limits import Floods, Limits
from bot.playground.request_parsing import MAX_BODY, Fields
from bot.playground.state import World
from bot.playground.users import People
from bot.playground.webhook import Deliveries

HOST = "127.0.0.1"
TOKEN = "42:playground"  # noqa: S105 - opens nothing but this toy
SHUTDOWN_S = 0.2
MALFORMED: dict[str, object] = {"message": {"message_id": "no number", "date": "never", "chat": 0}}


class Playground(People):
    """A Bot API server with one bot, on the loopback, and the people who write to that bot."""

    def __init__(self, token: str = TOKEN, *, strict: bool = True, limits: Limits | None = None) -> None:
        """Prepare; `strict` counts messages against Telegram's limits, or against `limits`."""
        bot = User(
            id=int(token.partition(":")[0]), is_bot=True, first_name="Earshot", username="earshot_bot",
            can_join_groups=True, can_read_all_group_messages=True, supports_inline_queries=False,
        )  # fmt: skip
        super().__init__(World(bot))
        self.token = token
        self.url = ""
        self.faults = Faults()
        self.journal = Journal()
        self.floods_counted = Floods(self._clock, (limits or Limits()) if strict else None)
        self.endpoint = Endpoint(self.world, token, self.faults, self.floods_counted, self.journal)
        self.deliveries = Deliveries(self.world, self._perform)
        self.page = Page(self)
        self._runner: web.AppRunner | None = None
        self._delivering: asyncio.Task[None] | None = None

    def _clock(self) -> float:
        return time.monotonic() + self.world.skew

    # Running

    async def start(self, port: int = 0) -> None:
        """Listen; after `stop`, the same state is served again."""
        self.page.closing.clear()
        app = web.Application(client_max_size=MAX_BODY, middlewares=[gate])
        app.add_routes([*self.endpoint.routes(), *self.page.routes()])
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=SHUTDOWN_S)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, port).start()
        self.url = f"http://{HOST}:{self._runner.addresses[0][1]}"
        self._delivering = asyncio.create_task(self.deliveries.run())

    async def stop(self) -> None:
        """Stop listening and break what is open."""
        self.page.closing.set()
        self.world.changed.ring()
        if self._delivering is not None:
            self._delivering.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._delivering
        await self.deliveries.stop()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _perform(self, method: str, fields: Fields) -> None:
        request = Request(method, fields.texts, time.monotonic(), tuple(fields.files))
        self.journal.requests.append(request)
        try:
            await self.endpoint.perform(request, fields)
        except Refusal as refusal:
            self.journal.refused(request, refusal)

    # What the bot did

    @property
    def requests(self) -> list[Request]:
        """Every request so far."""
        return self.journal.requests

    @property
    def violations(self) -> list[str]:
        """What a bot must never do: what Telegram would refuse, and what it would overlook though it is wrong."""
        return self.journal.violations

    @property
    def refusals(self) -> list[str]:
        """What was refused because of what people did, such as editing a message that one of them deleted."""
        return self.journal.refusals

    @property
    def floods(self) -> list[str]:
        """Every time that the bot was told to wait."""
        return self.journal.floods

    async def wait_for(self, predicate: Callable[[Message], bool], timeout: float = 10.0) -> Message:  # noqa: ASYNC109 - the name is in the contract
        """Wait until a message of the bot, as it is now, fits; the newest one wins."""
        ends = time.monotonic() + timeout
        while True:
            fitting = [message for message in self._said() if predicate(message)]
            if fitting:
                return fitting[-1]
            left = ends - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no message fits after {timeout:g} s; the bot said: {self._summary()}")
            await self.world.changed.wait(left)

    def _said(self) -> list[Message]:
        shown = [message for chat in self.world.conversations.values() for message in chat.messages.values()]
        return [message for message in shown if message.from_user and message.from_user.id == self.world.bot.id]

    def _summary(self) -> list[str]:
        return [message.text or message.caption or message.content_type for message in self._said()]

    # Making trouble

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
        """Let the next `times` requests to `method` (any, when None; "download" for files) go wrong."""
        fault = Fault(
            method=method, chat_id=chat_id, times=times, code=code, description=description, retry_after=retry_after,
            drop=drop, delay_s=delay_s, frozen=frozen,
        )  # fmt: skip
        self.faults.add(fault)

    def fail_at_random(
        self,
        share: float,
        *,
        seed: int,
        kinds: tuple[str, ...] = ("429", "500", "502", "before", "after", "slow"),
        methods: tuple[str, ...] = (),
    ) -> None:
        """Let a share of all requests go wrong, in an order that `seed` fixes; 0 ends it."""
        self.faults.at_random(share, seed=seed, kinds=kinds, methods=methods)

    def pause(self) -> None:
        """Freeze: accept every request, and answer none."""
        self.endpoint.open.clear()

    def resume(self) -> None:
        """Answer again, also what has waited."""
        self.endpoint.open.set()

    def send_malformed_update(self) -> int:
        """Queue an update that no bot can read; gives its number."""
        return self.world.updates.add_raw(MALFORMED)

    def redeliver(self, count: int = 1) -> None:
        """Send the last confirmed updates once more."""
        self.world.updates.redeliver(count)

    def expire_file_links(self) -> None:
        """Let the links that getFile has given lead nowhere."""
        self.world.files.expire_links()

    def advance(self, seconds: float) -> None:
        """Turn the clock forward."""
        self.world.skew += seconds
