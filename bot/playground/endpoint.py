"""HTTP routes of the Bot API: method calls and downloads, with logging, rate limits and injected faults."""

import asyncio
import math
import time
from dataclasses import dataclass, field
from typing import cast

from aiogram.methods import GetUpdates
from aiogram.types import TelegramObject
from aiohttp import web

from bot.playground import api_bot, api_editing, api_sending  # noqa: F401 - they register their methods
from bot.playground.api_errors import ApiError, not_found, too_many_requests
from bot.playground.api_updates import LongPolling
from bot.playground.fault_injection import BAD_GATEWAY, DOWNLOAD, Fault, FaultInjector
from bot.playground.rate_limits import RateLimiter
from bot.playground.registry import HANDLERS
from bot.playground.request_parsing import Fields, read_fields
from bot.playground.schema import METHODS, method_name, parse_call
from bot.playground.state import ServerState, as_json

UNCOUNTED = frozenset({"sendchataction", "sendmessagedraft"})
SHOWN = 80
# Parameters of the Bot API that the stand-in refuses rather than ignores.
UNSUPPORTED_PARAMETERS = frozenset({
    "business_connection_id", "direct_messages_topic_id", "ephemeral_message_parameters", "receiver_user_id",
    "suggested_post_parameters", "inline_message_id", "rich_message",
})  # fmt: skip


@dataclass(slots=True)
class Request:
    """A request of the bot, for tests to inspect; `at` is in seconds of the monotonic clock."""

    method: str
    params: dict[str, str]
    at: float
    files: tuple[str, ...] = ()
    status: int | None = None
    description: str = ""

    def __str__(self) -> str:
        """Describe the request briefly."""
        shown = {name: text if len(text) <= SHOWN else f"{text[:SHOWN]}…" for name, text in self.params.items()}
        return f"{self.method} {shown}"


@dataclass(slots=True)
class RequestLog:
    """Requests of the bot and the errors they caused."""

    requests: list[Request] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    floods: list[str] = field(default_factory=list)

    def record_error(self, request: Request, error: ApiError) -> None:
        """Record an error: a violation when the bot could have avoided it, else a refusal."""
        errors = self.violations if error.is_avoidable else self.refusals
        errors.append(f"{error.description} ({request})")


class Endpoint:
    """Handles method calls and downloads."""

    def __init__(
        self, state: ServerState, token: str, faults: FaultInjector, rate_limiter: RateLimiter, log: RequestLog
    ) -> None:
        """Accept calls of the bot with `token`."""
        self.state = state
        self.token = token
        self.faults = faults
        self.rate_limiter = rate_limiter
        self.log = log
        self.polls = LongPolling(state)
        self.resumed = asyncio.Event()
        self.resumed.set()

    def routes(self) -> list[web.RouteDef]:
        """Give the routes."""
        return [
            web.route("*", "/bot{token}/{method}", self.call),
            web.get("/file/bot{token}/{path:.+}", self.download),
        ]

    async def call(self, http: web.Request) -> web.StreamResponse:
        """Answer a method call over HTTP."""
        request = Request(http.match_info["method"], {}, time.monotonic())
        self.log.requests.append(request)
        try:
            self._check_token(http)
            fields = await read_fields(http)
        except ApiError as error:
            return self._refuse(request, error)
        request.params, request.files = fields.texts, tuple(fields.files)
        await self.resumed.wait()
        return await self._call_with_faults(http, request, fields)

    def _check_token(self, http: web.Request) -> None:
        token = http.match_info["token"]
        if token == self.token:
            return
        raise ApiError(401, "Unauthorized") if ":" in token else not_found()

    async def _call_with_faults(self, http: web.Request, request: Request, fields: Fields) -> web.StreamResponse:
        fault = self.faults.next_fault(request.method, request.params.get("chat_id"))
        if fault is None:
            return await self._answer(request, fields)
        failed = await self._inject_fault(http, request, fault)
        if failed is not None:
            return failed
        self._remember_unanswered(request)
        response = await self._answer(request, fields)
        await asyncio.sleep(fault.delay_s)
        return _abort_connection(http, response) if fault.drop else response

    async def _inject_fault(self, http: web.Request, request: Request, fault: Fault) -> web.StreamResponse | None:
        """Give the answer that `fault` puts in place of the real one; None when the method is to be called."""
        if fault.drop == "before":
            return _abort_connection(http, web.Response())
        if fault.frozen:
            await asyncio.Event().wait()
        if fault.code is None:
            return None
        await asyncio.sleep(fault.delay_s)
        request.status, request.description = fault.code, fault.error_text()
        if fault.retry_after is not None:
            self._record_flood(request, fault.retry_after)
        if fault.code == 502:  # noqa: PLR2004 - an HTTP status
            return web.Response(status=502, text=BAD_GATEWAY, content_type="text/html")
        body = ApiError(fault.code, fault.error_text(), retry_after=fault.retry_after).body()
        return web.json_response(body, status=fault.code)

    def _remember_unanswered(self, request: Request) -> None:
        """Remember an edit or a deletion whose answer may get lost: repeating it is no violation."""
        place, method = (
            (request.params.get("chat_id", ""), request.params.get("message_id", "")),
            request.method.lower(),
        )
        if method.startswith("edit"):
            self.state.unanswered_edits.add(place)
        elif method == "deletemessage":
            self.state.unanswered_deletions.add(place)

    async def _answer(self, request: Request, fields: Fields) -> web.Response:
        try:
            answer = await self.call_method(request, fields)
        except ApiError as error:
            return self._refuse(request, error)
        request.status = 200
        return web.json_response({"ok": True, "result": answer})

    def _refuse(self, request: Request, error: ApiError) -> web.Response:
        request.status, request.description = error.status, error.description
        if error.retry_after is None:
            self.log.record_error(request, error)
        return web.json_response(error.body(), status=error.status)

    async def call_method(self, request: Request, fields: Fields) -> object:
        """Call a method and give its result as JSON.

        Raises:
            ApiError: As Telegram would answer.
        """
        model = METHODS.get(request.method.lower())
        if model is None:
            raise not_found()
        request.method = method_name(model)
        self._check_penalty(request)
        call = parse_call(model, fields)
        self.log.violations += [f"{warning} ({request})" for warning in call.warnings]
        if isinstance(call.method, GetUpdates):
            return cast("object", await self.polls.poll(call.method))
        if model not in HANDLERS:
            raise ApiError(404, f"Not Found: {request.method} is not part of the playground")
        for name in UNSUPPORTED_PARAMETERS & set(fields.texts):
            raise ApiError(400, f"Bad Request: {name} is not part of the playground")
        self._check_flood(request)
        return to_json(HANDLERS[model](self.state, call.method))

    def _check_penalty(self, request: Request) -> None:
        """Refuse requests before `retry_after` has passed."""
        key = _flood_key(request)
        early = self.rate_limiter.remaining_wait_s(key)
        if early <= 0:
            return
        if self.rate_limiter.has_had_time_to_react(key):
            self.log.violations.append(f"repeated {early:.1f} s before retry_after had passed ({request})")
        raise too_many_requests(math.ceil(early))

    def _check_flood(self, request: Request) -> None:
        if not _is_counted(request):
            return
        wait = self.rate_limiter.count_message(request.params.get("chat_id", ""))
        if wait > 0:
            self._record_flood(request, wait)
            raise too_many_requests(wait)

    def _record_flood(self, request: Request, retry_after: int) -> None:
        self.rate_limiter.penalize(_flood_key(request), retry_after)
        self.log.floods.append(f"told to wait {retry_after} s ({request})")

    async def download(self, http: web.Request) -> web.StreamResponse:
        """Answer the download of a file that getFile gave a link to."""
        path = http.match_info["path"]
        request = Request(DOWNLOAD, {"file_path": path}, time.monotonic())
        self.log.requests.append(request)
        await self.resumed.wait()
        fault = self.faults.next_fault(DOWNLOAD, None)
        failed = await self._inject_fault(http, request, fault) if fault else None
        if failed is not None:
            return failed
        try:
            self._check_token(http)
            stored = self.state.files.follow(path)
        except ApiError as error:
            return self._refuse(request, error)
        request.status = 200
        return await _send_file(http, stored.content, fault)


async def _send_file(http: web.Request, content: bytes, fault: Fault | None) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
    response.content_length = len(content)
    await response.prepare(http)
    half = len(content) // 2
    await response.write(content[:half])
    if fault is not None:
        await asyncio.sleep(fault.delay_s)
        if fault.drop:
            return _abort_connection(http, response)
    await response.write(content[half:])
    await response.write_eof()
    return response


def _abort_connection(http: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """Abort the connection, so that no answer arrives."""
    if http.transport is not None:
        http.transport.abort()
    return response


def _is_counted(request: Request) -> bool:
    name = request.method.lower()
    return name.startswith(("send", "edit")) and name not in UNCOUNTED


def _flood_key(request: Request) -> str:
    return request.params.get("chat_id", request.method) if _is_counted(request) else request.method


def to_json(answer: object) -> object:
    """Convert a handler's result to JSON values."""
    if isinstance(answer, list):
        return [to_json(item) for item in answer]
    if isinstance(answer, TelegramObject):
        return as_json(answer)
    return answer
