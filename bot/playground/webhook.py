"""Posts updates to the bot's webhook, with retries until it accepts them."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, MultipartReader

from bot.playground.request_parsing import Fields, from_json, read_multipart
from bot.playground.state import ServerState
from bot.playground.update_queue import Pending

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - a header's name
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0
ANSWER_WITHIN_S = 60.0

CallMethod = Callable[[str, Fields], Awaitable[None]]


class WebhookSender:
    """Posts updates, at most `max_connections` at a time, each until the bot answers 2xx."""

    def __init__(self, state: ServerState, call_method: CallMethod) -> None:
        """Post the updates of `state`; `call_method` makes the call that the bot puts into its answer."""
        self.state = state
        self.call_method = call_method
        self.running: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Post updates until cancelled."""
        async with ClientSession(timeout=ClientTimeout(total=ANSWER_WITHIN_S)) as session:
            while True:
                for pending in self._ready():
                    task = asyncio.create_task(self._send_until_accepted(session, pending))
                    self.running[pending.update_id] = task
                    task.add_done_callback(partial(self._done, pending.update_id))
                await self.state.updates.changed.wait(1.0)

    def _ready(self) -> list[Pending]:
        hook = self.state.webhook
        free = hook.max_connections - len(self.running) if hook.url else 0
        waiting = [pending for pending in self.state.updates.pending if pending.update_id not in self.running]
        return waiting[: max(free, 0)]

    def _done(self, update_id: int, _: asyncio.Task[None]) -> None:
        del self.running[update_id]
        self.state.updates.changed.notify_all()

    async def _send_until_accepted(self, session: ClientSession, pending: Pending) -> None:
        hook = self.state.webhook
        pause = FIRST_PAUSE_S
        while self.state.webhook is hook:
            problem = await self._post(session, pending)
            if problem is None:
                self.state.updates.confirm_one(pending.update_id)
                return
            hook.last_error, hook.last_error_at = problem, int(self.state.now())
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    async def _post(self, session: ClientSession, pending: Pending) -> str | None:
        """Post once; give the error, or None."""
        hook = self.state.webhook
        headers = {SECRET_HEADER: hook.secret_token} if hook.secret_token else {}
        try:
            async with session.post(hook.url, json=pending.body, headers=headers) as response:
                if not response.ok:
                    return f"Wrong response from the webhook: {response.status} {response.reason}"
                await self._execute_reply(response)
        except (ClientError, TimeoutError) as error:
            return f"Connection failed: {error}"
        return None

    async def _execute_reply(self, response: ClientResponse) -> None:
        """Make the method call in the bot's answer, whose result the bot never learns."""
        if response.content_type == "application/json":
            fields = from_json(await response.read())
        elif response.content_type.startswith("multipart/"):
            read = await read_multipart(MultipartReader.from_response(response))
            method = read.texts.pop("method", None)
            return await self.call_method(method, read) if method else None
        else:
            return None
        method = fields.pop("method", None)
        return await self.call_method(method, Fields(texts=fields)) if method else None

    async def stop(self) -> None:
        """Cancel all requests."""
        for task in list(self.running.values()):
            task.cancel()
        await asyncio.gather(*self.running.values(), return_exceptions=True)
