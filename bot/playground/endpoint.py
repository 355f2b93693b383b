"""The Bot API's two addresses: methods and files. Every request is checked, counted and written down here."""

import asyncio
import math
import time
from dataclasses import dataclass, field
from typing import cast

from aiogram.methods import GetUpdates
from aiogram.types import TelegramObject
from aiohttp import web

from bot.playground.api_errors import Refusal, not_found, too_many_requests
from bot.playground.api_updates import Polls
from bot.playground.fault_injection import BAD_GATEWAY, DOWNLOAD, Fault, Faults
from bot.playground.methods import ANSWERS
from bot.playground.rate_limits import Floods
from bot.playground.request_parsing import Fields, read_fields
from bot.playground.schema import METHODS, decode, method_name
from bot.playground.state import World, as_json

UNCOUNTED = frozenset({"sendchataction", "sendmessagedraft"})
SHOWN = 80
# What the Bot API knows and the stand-in does not act out: better a clear refusal than a wrong likeness.
UNPLAYED = frozenset({
    "business_connection_id", "direct_messages_topic_id", "ephemeral_message_parameters", "receiver_user_id",
    "suggested_post_parameters", "inline_message_id", "rich_message",
})  # fmt: skip


@dataclass(slots=True)
class Request:
    """One request of the bot, for tests to look at."""

    method: str
    params: dict[str, str]
    at: float
    files: tuple[str, ...] = ()
    status: int | None = None
    description: str = ""

    def __str__(self) -> str:
        """Say briefly what was asked for."""
        shown = {name: text if len(text) <= SHOWN else f"{text[:SHOWN]}…" for name, text in self.params.items()}
        return f"{self.method} {shown}"


@dataclass(slots=True)
class Journal:
    """What the bot did, and what was wrong with it."""

    requests: list[Request] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    floods: list[str] = field(default_factory=list)

    def refused(self, request: Request, refusal: Refusal) -> None:
        """Write a refusal down where it belongs."""
        pages = self.violations if refusal.foreseeable else self.refusals
        pages.append(f"{refusal.description} ({request})")


class Endpoint:
    """Answers what bots ask."""

    def __init__(self, world: World, token: str, faults: Faults, floods: Floods, journal: Journal) -> None:
        """Answer for the bot with `token`."""
        self.world = world
        self.token = token
        self.faults = faults
        self.floods = floods
        self.journal = journal
        self.polls = Polls(world)
        self.open = asyncio.Event()
        self.open.set()

    def routes(self) -> list[web.RouteDef]:
        """Give the addresses."""
        return [
            web.route("*", "/bot{token}/{method}", self.call),
            web.get("/file/bot{token}/{path:.+}", self.download),
        ]

    async def call(self, http: web.Request) -> web.StreamResponse:
        """Answer one method call."""
        request = Request(http.match_info["method"], {}, time.monotonic())
        self.journal.requests.append(request)
        try:
            self._check_token(http)
            fields = await read_fields(http)
        except Refusal as refusal:
            return self._refuse(request, refusal)
        request.params, request.files = fields.texts, tuple(fields.files)
        await self.open.wait()
        return await self._call_with_faults(http, request, fields)

    def _check_token(self, http: web.Request) -> None:
        token = http.match_info["token"]
        if token == self.token:
            return
        raise Refusal(401, "Unauthorized") if ":" in token else not_found()

    async def _call_with_faults(self, http: web.Request, request: Request, fields: Fields) -> web.StreamResponse:
        fault = self.faults.take(request.method, request.params.get("chat_id"))
        if fault is None:
            return await self._answer(request, fields)
        spoiled = await self._spoil(http, request, fault)
        if spoiled is not None:
            return spoiled
        self._note_lost_edit(request)
        response = await self._answer(request, fields)
        await asyncio.sleep(fault.delay_s)
        return _cut(http, response) if fault.drop else response

    async def _spoil(self, http: web.Request, request: Request, fault: Fault) -> web.StreamResponse | None:
        """Let `fault` happen in the place of an answer, when it is of that kind."""
        if fault.drop == "before":
            return _cut(http, web.Response())
        if fault.frozen:
            await asyncio.Event().wait()
        if fault.code is None:
            return None
        await asyncio.sleep(fault.delay_s)
        request.status, request.description = fault.code, fault.words()
        if fault.retry_after is not None:
            self._note_flood(request, fault.retry_after)
        if fault.code == 502:  # noqa: PLR2004 - an HTTP status
            return web.Response(status=502, text=BAD_GATEWAY, content_type="text/html")
        body = Refusal(fault.code, fault.words(), retry_after=fault.retry_after).body()
        return web.json_response(body, status=fault.code)

    def _note_lost_edit(self, request: Request) -> None:
        """Remember an edit whose answer may get lost: repeating it is no carelessness."""
        chat_id, message_id = request.params.get("chat_id", ""), request.params.get("message_id", "")
        if request.method.lower().startswith("edit"):
            self.world.unanswered_edits.add((chat_id, message_id))

    async def _answer(self, request: Request, fields: Fields) -> web.Response:
        try:
            answer = await self.perform(request, fields)
        except Refusal as refusal:
            return self._refuse(request, refusal)
        request.status = 200
        return web.json_response({"ok": True, "result": answer})

    def _refuse(self, request: Request, refusal: Refusal) -> web.Response:
        request.status, request.description = refusal.status, refusal.description
        if refusal.retry_after is None:
            self.journal.refused(request, refusal)
        return web.json_response(refusal.body(), status=refusal.status)

    async def perform(self, request: Request, fields: Fields) -> object:
        """Do what is asked, or refuse."""
        model = METHODS.get(request.method.lower())
        if model is None:
            raise not_found()
        request.method = method_name(model)
        self._check_patience(request)
        call = decode(model, fields)
        self.journal.violations += [f"{complaint} ({request})" for complaint in call.complaints]
        if isinstance(call.method, GetUpdates):
            return cast("object", await self.polls.poll(call.method))
        if model not in ANSWERS:
            raise Refusal(404, f"Not Found: {request.method} is not part of the playground")
        for name in UNPLAYED & set(fields.texts):
            raise Refusal(400, f"Bad Request: {name} is not part of the playground")
        self._check_flood(request)
        return written(ANSWERS[model](self.world, call.method))

    def _check_patience(self, request: Request) -> None:
        """Refuse again what was refused a moment ago: the bot was told how long to wait."""
        key = _flood_key(request)
        early = self.floods.impatience_s(key)
        if early <= 0:
            return
        if self.floods.could_know(key):
            self.journal.violations.append(f"repeated {early:.1f} s before retry_after had passed ({request})")
        raise too_many_requests(math.ceil(early))

    def _check_flood(self, request: Request) -> None:
        if not _is_counted(request):
            return
        wait = self.floods.wait_s(request.params.get("chat_id", ""))
        if wait > 0:
            self._note_flood(request, wait)
            raise too_many_requests(wait)

    def _note_flood(self, request: Request, retry_after: int) -> None:
        self.floods.penalize(_flood_key(request), retry_after)
        self.journal.floods.append(f"told to wait {retry_after} s ({request})")

    async def download(self, http: web.Request) -> web.StreamResponse:
        """Hand out a file that getFile gave a link to."""
        path = http.match_info["path"]
        request = Request(DOWNLOAD, {"file_path": path}, time.monotonic())
        self.journal.requests.append(request)
        await self.open.wait()
        fault = self.faults.take(DOWNLOAD, None)
        spoiled = await self._spoil(http, request, fault) if fault else None
        if spoiled is not None:
            return spoiled
        try:
            self._check_token(http)
            stored = self.world.files.follow(path)
        except Refusal as refusal:
            return self._refuse(request, refusal)
        request.status = 200
        return await _hand_out(http, stored.content, fault)


async def _hand_out(http: web.Request, content: bytes, fault: Fault | None) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
    response.content_length = len(content)
    await response.prepare(http)
    half = len(content) // 2
    await response.write(content[:half])
    if fault is not None:
        await asyncio.sleep(fault.delay_s)
        if fault.drop:
            return _cut(http, response)
    await response.write(content[half:])
    await response.write_eof()
    return response


def _cut(http: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """Break the connection, so that whatever is answered does not arrive."""
    if http.transport is not None:
        http.transport.abort()
    return response


def _is_counted(request: Request) -> bool:
    name = request.method.lower()
    return name.startswith(("send", "edit")) and name not in UNCOUNTED


def _flood_key(request: Request) -> str:
    return request.params.get("chat_id", request.method) if _is_counted(request) else request.method


def written(answer: object) -> object:
    """Turn an answer into what JSON can hold."""
    if isinstance(answer, list):
        return [written(item) for item in answer]
    if isinstance(answer, TelegramObject):
        return as_json(answer)
    return answer
