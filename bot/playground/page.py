"""The chat page: shows the chats as one person sees them, and does what that person does there."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from importlib.resources import files
from typing import cast

from aiogram.types import Chat, Message, User
from aiohttp import web

from bot.playground.chats import Conversation
from bot.playground.state import World, as_json
from bot.playground.stored_files import KINDS
from bot.playground.users import People

ALIVE_S = 15.0
MALFORMED = (KeyError, ValueError, TypeError, AttributeError, OverflowError)  # what an odd request ends in
SHOWN_ACTION_S = 6.0
SHOWN_DRAFT_S = 30.0
PLAYED = ("audio/", "video/")
HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
POLICY = (
    "default-src 'none'; script-src 'nonce-{0}'; style-src 'nonce-{0}'; connect-src 'self'; media-src 'self' blob:; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

Json = dict[str, object]
Deed = Callable[[Json], object]


class Page:
    """The page and the addresses that it calls."""

    def __init__(self, people: People) -> None:
        """Act through `people`."""
        self.people = people
        self.world = people.world
        self.closing = asyncio.Event()

    def routes(self) -> list[web.RouteDef]:
        """Give the addresses."""
        deeds: dict[str, Deed] = {
            "say": self._say,
            "press": self._press,
            "delete": self._delete,
            "group": self._group,
            "topic": self._topic,
            "block": self._block,
        }
        return [
            web.get("/", self._page),
            web.get("/page/events", self._events),
            web.get("/page/file/{file_id}", self._file),
            web.post("/page/send", self._send),
            *(web.post(f"/page/{name}", _doing(deed)) for name, deed in deeds.items()),
        ]

    @property
    def person(self) -> User:
        """The first person there is; one is made when there is none."""
        known = [user for user in self.world.users.values() if not user.is_bot]
        person = known[0] if known else self.people.user()
        self.people.private_chat(person)
        return person

    async def _page(self, _: web.Request) -> web.Response:
        nonce = secrets.token_urlsafe(16)
        text = files("bot.playground").joinpath("page.html").read_text("utf-8").replace("{{nonce}}", nonce)
        policy = {"Content-Security-Policy": POLICY.format(nonce)}
        return web.Response(text=text, content_type="text/html", headers=HEADERS | policy)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Send what has changed, for as long as the page is open."""
        person = self.person
        response = web.StreamResponse(headers=HEADERS | {"Content-Type": "text/event-stream"})
        await response.prepare(request)
        async for news in self._news(person):
            await response.write(f"data: {json.dumps(news)}\n\n".encode())
        return response

    async def _news(self, person: User) -> AsyncIterator[Json]:
        seen: dict[tuple[int, int], Message] = {}
        while not self.closing.is_set():
            now = dict(_shown(self.world))
            yield {
                "me": as_json(person),
                "bot": as_json(self.world.bot),
                "chats": [_chat(conversation) for conversation in self.world.conversations.values()],
                "commands": _commands(self.world),
                "changed": [as_json(message) for key, message in now.items() if seen.get(key) is not message],
                "gone": [key for key in seen if key not in now],
                "doing": _doings(self.world),
                "drafts": _drafts(self.world),
                "answers": _answers(self.world),
                "reactions": [[*key, emojis] for key, emojis in self.world.reactions.items()],
            }
            seen = now
            await self.world.changed.wait(ALIVE_S)

    async def _file(self, request: web.Request) -> web.Response:
        """Hand a file to the page: sound and film to be played, all else to be saved and never to be shown."""
        stored = self.world.files.by_id.get(request.match_info["file_id"])
        if stored is None:
            raise web.HTTPNotFound
        played = stored.mime is not None and stored.mime.startswith(PLAYED)
        headers = HEADERS | {
            "Content-Type": cast("str", stored.mime) if played else "application/octet-stream",
            "Content-Disposition": "inline" if played else "attachment",
            "Content-Security-Policy": "sandbox",
            "Accept-Ranges": "bytes",
        }
        return _range(request, stored.content, headers)

    async def _send(self, request: web.Request) -> web.Response:
        """Send a recording or a file; it is the body, and all that is known about it is in the address."""
        sound = await request.read()
        try:
            message = self._sent(request.query, sound)
        except MALFORMED as problem:
            raise web.HTTPBadRequest(text=repr(problem)) from problem
        return web.json_response({"message_id": message.message_id})

    def _sent(self, about: Mapping[str, str], sound: bytes) -> Message:
        kind = about.get("kind", "voice")
        if kind not in KINDS:
            raise ValueError(f"no such kind: {kind}")
        return self.people.send_voice(
            self._chat(about["chat"]), self.person, sound, kind=kind, thread_id=_number(about.get("thread")),
            duration=int(float(about.get("duration", "0"))), mime=about.get("mime") or None,
            file_name=about.get("name") or None,
        )  # fmt: skip

    def _chat(self, chat_id: object) -> Chat:
        conversation = self.world.conversations.get(int(str(chat_id)))
        if conversation is None:
            raise web.HTTPNotFound(text="no such chat")
        return conversation.chat

    def _message(self, asked: Json) -> Message:
        conversation = self.world.conversations[self._chat(asked["chat"]).id]
        message = conversation.messages.get(_number(asked.get("message")) or 0)
        if message is None:
            raise web.HTTPNotFound(text="no such message")
        return message

    def _say(self, asked: Json) -> object:
        reply_to = self._message(asked) if asked.get("message") else None
        chat, thread_id = self._chat(asked["chat"]), _number(asked.get("thread"))
        said = self.people.send_text(chat, self.person, str(asked["text"]), reply_to=reply_to, thread_id=thread_id)
        return said.message_id

    def _press(self, asked: Json) -> object:
        return self.people.press(self._message(asked), str(asked["data"]), self.person)

    def _delete(self, asked: Json) -> object:
        self.people.delete(self._message(asked))
        return True

    def _group(self, asked: Json) -> object:
        lowest = min([-1_001_000_000_000, *self.world.conversations])
        title = str(asked["title"])
        chat = self.people.group(lowest - 1, title, forum=bool(asked.get("forum")), administrators=(self.person,))
        return chat.id

    def _topic(self, asked: Json) -> object:
        return self.people.topic(self._chat(asked["chat"]), self.person, str(asked["name"]))

    def _block(self, asked: Json) -> object:
        act = self.people.block if asked.get("blocked") else self.people.unblock
        act(self.person)
        return True


def _doing(deed: Deed) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Make an address of something that a person does."""

    async def answer(request: web.Request) -> web.Response:
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType
        try:
            return web.json_response({"done": deed(await request.json())})
        except MALFORMED as problem:
            raise web.HTTPBadRequest(text=repr(problem)) from problem

    return answer


def _number(value: object) -> int | None:
    return int(str(value)) if value else None


def _shown(world: World) -> list[tuple[tuple[int, int], Message]]:
    return [
        ((chat_id, message.message_id), message)
        for chat_id, conversation in world.conversations.items()
        for message in conversation.messages.values()
    ]


def _chat(conversation: Conversation) -> Json:
    topics = [
        {"id": topic.thread_id, "name": topic.name, "closed": topic.closed} for topic in conversation.topics.values()
    ]
    blocked = conversation.shut_out is not None
    return as_json(conversation.chat) | {"topics": topics, "blocked": blocked, "gone": bool(conversation.upgraded_to)}


def _commands(world: World) -> dict[str, list[Json]]:
    """Give the lists of commands of everybody's language, by scope."""
    return {
        scope: [as_json(command) for command in commands]
        for (scope, language), commands in world.commands.items()
        if not language
    }


def _doings(world: World) -> list[Json]:
    fresh = [action for action in world.actions if world.now() - action.at < SHOWN_ACTION_S]
    return [{"chat": action.chat_id, "thread": action.thread_id, "action": action.action} for action in fresh[-1:]]


def _drafts(world: World) -> list[Json]:
    fresh = [draft for draft in world.drafts.values() if world.now() - draft.at < SHOWN_DRAFT_S]
    return [{"chat": draft.chat_id, "thread": draft.thread_id, "text": draft.text} for draft in fresh]


def _answers(world: World) -> list[Json]:
    return [
        {"query": query_id, "text": pressed.answers[-1], "alert": pressed.alert}
        for query_id, pressed in world.pressed.items()
        if pressed.answers and pressed.answers[-1]
    ]


def _range(request: web.Request, content: bytes, headers: dict[str, str]) -> web.Response:
    """Give all of a file or the part that a player asks for."""
    try:
        wanted = request.http_range
    except ValueError:
        raise web.HTTPRequestRangeNotSatisfiable from None
    if wanted.start is None and wanted.stop is None:
        return web.Response(body=content, headers=headers)
    start, stop, _ = wanted.indices(len(content))
    if start >= stop:
        raise web.HTTPRequestRangeNotSatisfiable
    place = {"Content-Range": f"bytes {start}-{stop - 1}/{len(content)}"}
    return web.Response(status=206, body=content[start:stop], headers=headers | place)
