"""Sends updates to the bot's webhook, again and again until it accepts them."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, MultipartReader

from bot.playground.request_parsing import Fields, from_json, read_multipart
from bot.playground.state import World
from bot.playground.update_queue import Pending

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - a header's name
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0
ANSWER_WITHIN_S = 60.0

Perform = Callable[[str, Fields], Awaitable[None]]


class Deliveries:
    """Posts each update, several at a time, until the bot says 2xx."""

    def __init__(self, world: World, perform: Perform) -> None:
        """Deliver what waits in `world`; `perform` does what a bot asks for in its answer."""
        self.world = world
        self.perform = perform
        self.running: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Deliver for ever."""
        async with ClientSession(timeout=ClientTimeout(total=ANSWER_WITHIN_S)) as session:
            while True:
                for pending in self._ready():
                    task = asyncio.create_task(self._deliver(session, pending))
                    self.running[pending.update_id] = task
                    task.add_done_callback(partial(self._done, pending.update_id))
                await self.world.updates.bell.wait(1.0)

    def _ready(self) -> list[Pending]:
        hook = self.world.webhook
        free = hook.max_connections - len(self.running) if hook.url else 0
        waiting = [pending for pending in self.world.updates.pending if pending.update_id not in self.running]
        return waiting[: max(free, 0)]

    def _done(self, update_id: int, _: asyncio.Task[None]) -> None:
        del self.running[update_id]
        self.world.updates.bell.ring()

    async def _deliver(self, session: ClientSession, pending: Pending) -> None:
        hook = self.world.webhook
        pause = FIRST_PAUSE_S
        while self.world.webhook is hook:
            problem = await self._post(session, pending)
            if problem is None:
                self.world.updates.confirm_one(pending.update_id)
                return
            hook.last_error, hook.last_error_at = problem, int(self.world.now())
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    async def _post(self, session: ClientSession, pending: Pending) -> str | None:
        """Post once; give what went wrong."""
        hook = self.world.webhook
        headers = {SECRET_HEADER: hook.secret_token} if hook.secret_token else {}
        try:
            async with session.post(hook.url, json=pending.body, headers=headers) as response:
                if not response.ok:
                    return f"Wrong response from the webhook: {response.status} {response.reason}"
                await self._obey(response)
        except (ClientError, TimeoutError) as error:
            return f"Connection failed: {error}"
        return None

    async def _obey(self, response: ClientResponse) -> None:
        """Do what the bot asks for in its answer to the update, of which it learns no outcome."""
        if response.content_type == "application/json":
            fields = from_json(await response.read())
        elif response.content_type.startswith("multipart/"):
            read = await read_multipart(MultipartReader.from_response(response))
            method = read.texts.pop("method", None)
            return await self.perform(method, read) if method else None
        else:
            return None
        method = fields.pop("method", None)
        return await self.perform(method, Fields(texts=fields)) if method else None

    async def stop(self) -> None:
        """Stop all deliveries."""
        for task in list(self.running.values()):
            task.cancel()
        await asyncio.gather(*self.running.values(), return_exceptions=True)
