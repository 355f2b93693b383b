import asyncio
import json
import re

import pytest
from aiogram import Bot
from aiogram.types import BotCommand, BufferedInputFile, Chat, User
from aiohttp import ClientResponse, ClientSession

from bot.playground.server import Playground


async def news(response: ClientResponse) -> dict[str, object]:
    async with asyncio.timeout(5):
        while not (line := await response.content.readline()).startswith(b"data: "):
            pass
    told: dict[str, object] = json.loads(line.removeprefix(b"data: "))
    return told


async def test_the_page_needs_nothing_from_elsewhere(http: ClientSession) -> None:
    async with http.get("/") as response:
        page = await response.text()
        policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    nonce = re.search(r"script-src 'nonce-([^']+)'", policy)
    assert nonce is not None
    assert f'<script nonce="{nonce[1]}">' in page
    assert re.findall(r"""(?:src|href)\s*=\s*["'](?!#)[^"']""", page) == []
    assert "innerHTML" not in page


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
@pytest.mark.parametrize("path", ["/", "/page/say", "/bot42:playground/getMe"])
async def test_other_web_sites_are_kept_out(http: ClientSession, path: str, headers: dict[str, str]) -> None:
    async with http.post(path, json={}, headers=headers) as response:
        assert response.status == 403


async def test_the_page_tells_what_changes(bot: Bot, http: ClientSession, chat: Chat) -> None:
    await bot.set_my_commands([BotCommand(command="start", description="What I do")])
    sent = await bot.send_message(chat.id, "working")
    async with http.get("/page/events") as events:
        first = await news(events)
        assert first["commands"] == {"default": [{"command": "start", "description": "What I do"}]}
        assert [message["text"] for message in first["changed"]] == ["working"]  # type: ignore[attr-defined]  # JSON
        await bot.edit_message_text("done", chat_id=chat.id, message_id=sent.message_id)
        second = await news(events)
        assert [message["text"] for message in second["changed"]] == ["done"]  # type: ignore[attr-defined]  # JSON
        await bot.delete_message(chat.id, sent.message_id)
        assert (await news(events))["gone"] == [[chat.id, sent.message_id]]


async def test_a_person_can_do_everything_from_the_page(bot: Bot, http: ClientSession, chat: Chat) -> None:
    async def do(user_action: str, **asked: object) -> object:
        async with http.post(f"/page/{user_action}", json=asked) as response:
            assert response.status == 200, await response.text()
            return (await response.json())["done"]

    said = await do("say", chat=chat.id, text="/start")
    await do("say", chat=chat.id, text="again", message=said)
    about = {"chat": str(chat.id), "kind": "voice", "duration": "2.4", "mime": "audio/webm"}
    async with http.post("/page/send", params=about, data=b"sound") as response:
        assert response.status == 200
    group = await do("group", title="Team", forum=True)
    thread = await do("topic", chat=group, name="Ideas")
    await do("say", chat=group, thread=thread, text="hi")
    await do("delete", chat=chat.id, message=said)
    await do("block", blocked=True)
    await do("block", blocked=False)
    updates = await bot.get_updates()
    texts = [update.message.text for update in updates if update.message and update.message.text]
    assert texts == ["/start", "again", "hi"]
    voice = next(update.message.voice for update in updates if update.message and update.message.voice)
    assert (voice.duration, voice.mime_type) == (2, "audio/webm")
    assert updates[-1].event_type == "my_chat_member"


@pytest.mark.parametrize(
    ("user_action", "asked", "status"),
    [
        ("say", {"chat": 404, "text": "x"}, 404),
        ("say", {"chat": 1}, 400),
        ("press", {"chat": 1, "message": 9, "data": "x"}, 404),
        ("say", {"chat": "x", "text": "x"}, 400),
        ("say", [], 400),
    ],
)
@pytest.mark.usefixtures("chat")
async def test_what_makes_no_sense_is_refused(
    http: ClientSession, user_action: str, asked: object, status: int
) -> None:
    async with http.post(f"/page/{user_action}", json=asked) as response:
        assert response.status == status


@pytest.mark.usefixtures("chat")
@pytest.mark.parametrize("query", [{}, {"chat": "zz"}, {"chat": "1", "duration": "abc"}, {"chat": "1", "kind": "x"}])
async def test_a_recording_for_nobody_is_refused(http: ClientSession, query: dict[str, str]) -> None:
    async with http.post("/page/send", params=query, data=b"sound") as answer:
        assert answer.status == 400


async def test_a_form_of_another_page_cannot_act(http: ClientSession) -> None:
    async with http.post("/page/say", data={"chat": "1", "text": "x"}) as response:
        assert response.status == 415


async def test_files_are_played_or_saved_but_never_shown(
    playground: Playground, bot: Bot, http: ClientSession, chat: Chat, ada: User
) -> None:
    note = playground.send_voice(chat, ada, b"0123456789")
    sent = await bot.send_document(chat.id, BufferedInputFile(b"<script>", "a.html"))
    assert note.voice is not None
    assert sent.document is not None
    async with http.get(f"/page/file/{note.voice.file_id}", headers={"Range": "bytes=2-4"}) as response:
        assert (response.status, await response.read()) == (206, b"234")
        assert response.content_type == "audio/ogg"
    async with http.get(f"/page/file/{sent.document.file_id}") as response:
        assert response.content_type == "application/octet-stream"
        assert response.headers["Content-Disposition"] == "attachment"
    async with http.get("/page/file/nothing") as response:
        assert response.status == 404


async def test_somebody_is_there_when_nobody_was_made(http: ClientSession) -> None:
    async with http.get("/page/events") as events:
        told = await news(events)
    assert [chat["type"] for chat in told["chats"]] == ["private"]  # type: ignore[attr-defined]  # JSON
