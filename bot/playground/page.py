"""The chat page in the browser: shows one user's chats and acts as that user."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from importlib.resources import files
from typing import cast

from aiogram.types import Chat, Message, User
from aiohttp import web

from bot.playground.chats import Conversation
from bot.playground.state import ServerState, as_json
from bot.playground.stored_files import KINDS
from bot.playground.users import SimulatedUsers

KEEP_ALIVE_S = 15.0
MALFORMED = (KeyError, ValueError, TypeError, AttributeError, OverflowError)  # what an odd request ends in
ACTION_SHOWN_S = 6.0
DRAFT_SHOWN_S = 30.0
PLAYED = ("audio/", "video/")
HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
POLICY = (
    "default-src 'none'; script-src 'nonce-{0}'; style-src 'nonce-{0}'; connect-src 'self'; media-src 'self' blob:; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

Json = dict[str, object]
UserAction = Callable[[Json], object]


class Page:
    """Serves the page and the routes that its script calls."""

    def __init__(self, users: SimulatedUsers) -> None:
        """Act through `users`."""
        self.users = users
        self.state = users.state
        self.closing = asyncio.Event()

    def routes(self) -> list[web.RouteDef]:
        """Give the routes."""
        user_actions: dict[str, UserAction] = {
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
            *(web.post(f"/page/{name}", _json_handler(user_action)) for name, user_action in user_actions.items()),
        ]

    @property
    def person(self) -> User:
        """The first user; created when there is none."""
        known = [user for user in self.state.users.values() if not user.is_bot]
        person = known[0] if known else self.users.user()
        self.users.private_chat(person)
        return person

    async def _page(self, _: web.Request) -> web.Response:
        nonce = secrets.token_urlsafe(16)
        text = files("bot.playground").joinpath("page.html").read_text("utf-8").replace("{{nonce}}", nonce)
        policy = {"Content-Security-Policy": POLICY.format(nonce)}
        return web.Response(text=text, content_type="text/html", headers=HEADERS | policy)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Stream changes as server-sent events while the page is open."""
        person = self.person
        response = web.StreamResponse(headers=HEADERS | {"Content-Type": "text/event-stream"})
        await response.prepare(request)
        async for news in self._snapshots(person):
            await response.write(f"data: {json.dumps(news)}\n\n".encode())
        return response

    async def _snapshots(self, person: User) -> AsyncIterator[Json]:
        seen: dict[tuple[int, int], Message] = {}
        while not self.closing.is_set():
            now = dict(_shown(self.state))
            yield {
                "me": as_json(person),
                "bot": as_json(self.state.bot),
                "chats": [_chat(conversation) for conversation in self.state.conversations.values()],
                "commands": _commands(self.state),
                "changed": [as_json(message) for key, message in now.items() if seen.get(key) is not message],
                "gone": [key for key in seen if key not in now],
                "doing": _current_actions(self.state),
                "drafts": _drafts(self.state),
                "answers": _answers(self.state),
                "reactions": [[*key, emojis] for key, emojis in self.state.reactions.items()],
            }
            seen = now
            await self.state.changed.wait(KEEP_ALIVE_S)

    async def _file(self, request: web.Request) -> web.Response:
        """Serve a file: audio and video to be played, all else as a download that the browser never renders."""
        stored = self.state.files.by_id.get(request.match_info["file_id"])
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
        """Send the body as a recording or file; the query describes it."""
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
        return self.users.send_voice(
            self._chat(about["chat"]), self.person, sound, kind=kind, thread_id=_number(about.get("thread")),
            duration=int(float(about.get("duration", "0"))), mime=about.get("mime") or None,
            file_name=about.get("name") or None,
        )  # fmt: skip

    def _chat(self, chat_id: object) -> Chat:
        conversation = self.state.conversations.get(int(str(chat_id)))
        if conversation is None:
            raise web.HTTPNotFound(text="no such chat")
        return conversation.chat

    def _message(self, asked: Json) -> Message:
        conversation = self.state.conversations[self._chat(asked["chat"]).id]
        message = conversation.messages.get(_number(asked.get("message")) or 0)
        if message is None:
            raise web.HTTPNotFound(text="no such message")
        return message

    def _say(self, asked: Json) -> object:
        reply_to = self._message(asked) if asked.get("message") else None
        chat, thread_id = self._chat(asked["chat"]), _number(asked.get("thread"))
        said = self.users.send_text(chat, self.person, str(asked["text"]), reply_to=reply_to, thread_id=thread_id)
        return said.message_id

    def _press(self, asked: Json) -> object:
        return self.users.press(self._message(asked), str(asked["data"]), self.person)

    def _delete(self, asked: Json) -> object:
        self.users.delete(self._message(asked))
        return True

    def _group(self, asked: Json) -> object:
        lowest = min([-1_001_000_000_000, *self.state.conversations])
        title = str(asked["title"])
        chat = self.users.group(lowest - 1, title, forum=bool(asked.get("forum")), administrators=(self.person,))
        return chat.id

    def _topic(self, asked: Json) -> object:
        return self.users.topic(self._chat(asked["chat"]), self.person, str(asked["name"]))

    def _block(self, asked: Json) -> object:
        act = self.users.block if asked.get("blocked") else self.users.unblock
        act(self.person)
        return True


def _json_handler(user_action: UserAction) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Make a route handler, JSON in and out, of a user's action."""

    async def answer(request: web.Request) -> web.Response:
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType
        try:
            return web.json_response({"done": user_action(await request.json())})
        except MALFORMED as problem:
            raise web.HTTPBadRequest(text=repr(problem)) from problem

    return answer


def _number(value: object) -> int | None:
    return int(str(value)) if value else None


def _shown(state: ServerState) -> list[tuple[tuple[int, int], Message]]:
    return [
        ((chat_id, message.message_id), message)
        for chat_id, conversation in state.conversations.items()
        for message in conversation.messages.values()
    ]


def _chat(conversation: Conversation) -> Json:
    topics = [
        {"id": topic.thread_id, "name": topic.name, "closed": topic.closed} for topic in conversation.topics.values()
    ]
    blocked = conversation.blocked_reason is not None
    return as_json(conversation.chat) | {"topics": topics, "blocked": blocked, "gone": bool(conversation.upgraded_to)}


def _commands(state: ServerState) -> dict[str, list[Json]]:
    """Give the command lists without a language code, by scope."""
    return {
        scope: [as_json(command) for command in commands]
        for (scope, language), commands in state.commands.items()
        if not language
    }


def _current_actions(state: ServerState) -> list[Json]:
    fresh = [action for action in state.actions if state.now() - action.at < ACTION_SHOWN_S]
    return [{"chat": action.chat_id, "thread": action.thread_id, "action": action.action} for action in fresh[-1:]]


def _drafts(state: ServerState) -> list[Json]:
    fresh = [draft for draft in state.drafts.values() if state.now() - draft.at < DRAFT_SHOWN_S]
    return [{"chat": draft.chat_id, "thread": draft.thread_id, "text": draft.text} for draft in fresh]


def _answers(state: ServerState) -> list[Json]:
    return [
        {"query": query_id, "text": pressed.answers[-1], "alert": pressed.alert}
        for query_id, pressed in state.button_presses.items()
        if pressed.answers and pressed.answers[-1]
    ]


def _range(request: web.Request, content: bytes, headers: dict[str, str]) -> web.Response:
    """Answer with the whole file or the range that the player asks for."""
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
