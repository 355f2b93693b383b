import json

import pytest
from aiogram.types import Chat
from aiohttp import ClientSession, FormData

from bot.playground.server import Playground

API = "/bot42:playground"


async def call(http: ClientSession, method: str, **fields: object) -> tuple[int, dict[str, object]]:
    async with http.post(f"{API}/{method}", json=fields) as response:
        body: dict[str, object] = await response.json()
        assert body["ok"] is (response.status == 200)
        return response.status, body


async def test_every_way_of_asking_is_understood(playground: Playground, http: ClientSession, chat: Chat) -> None:
    asked = {"chat_id": str(chat.id), "text": "hi"}
    form = FormData(asked, default_to_multipart=True)
    async with http.get(f"{API}/sendMessage", params=asked) as response:
        assert response.status == 200
    async with http.post(f"{API}/sendmessage", data=asked) as response:
        assert response.status == 200
    async with http.post(f"{API}/SENDMESSAGE", data=form) as response:
        assert response.status == 200
    assert (await call(http, "sendMessage", chat_id=chat.id, text="hi"))[0] == 200
    assert [message.text for message in playground.messages(chat)] == ["hi"] * 4
    assert playground.violations == []
    assert [request.method for request in playground.requests] == ["sendMessage"] * 4


@pytest.mark.parametrize(
    ("path", "status", "description"),
    [
        ("/bot42:wrong/getMe", 401, "Unauthorized"),
        ("/botnonsense/getMe", 404, "Not Found"),
        ("/bot42:playground/getNothing", 404, "Not Found"),
        (
            "/bot42:playground/setChatTitle?chat_id=1&title=x",
            404,
            "Not Found: setChatTitle is not part of the playground",
        ),
    ],
)
async def test_unknown_tokens_and_methods(
    playground: Playground, http: ClientSession, path: str, status: int, description: str
) -> None:
    async with http.get(path) as response:
        assert response.status == status
        assert await response.json() == {"ok": False, "error_code": status, "description": description}
    assert len(playground.violations) == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"text": "x"}, "chat_id is empty"),
        ({"chat_id": 1}, "message text is empty"),
        ({"chat_id": 1, "text": "x", "message_thread_id": "one"}, "invalid message_thread_id specified"),
        ({"chat_id": 1, "text": "x", "disable_notification": "perhaps"}, "invalid disable_notification specified"),
        ({"chat_id": 1, "text": "x", "reply_markup": "{"}, "can't parse reply keyboard markup JSON object"),
        ({"chat_id": 1, "text": "x", "reply_markup": {}}, "object expected as reply markup"),
        (
            {"chat_id": 1, "text": "x", "reply_markup": {"inline_keyboard": "x"}},
            "can't parse reply keyboard markup JSON object",
        ),
        ({"chat_id": 1, "text": "x", "entities": [1]}, "can't parse entities: expected an Array of MessageEntity"),
        ({"chat_id": 1, "text": "x", "reply_parameters": []}, "can't parse reply parameters: expected an Object"),
        ({"chat_id": 1, "text": "\ud83c"}, "strings must be encoded in UTF-8"),
    ],
)
async def test_malformed_fields_are_refused(
    playground: Playground, http: ClientSession, chat: Chat, fields: dict[str, object], words: str
) -> None:
    status, body = await call(http, "sendMessage", **fields)
    assert (status, body["description"]) == (400, f"Bad Request: {words}")
    assert playground.messages(chat) == []
    assert len(playground.violations) == 1


async def test_unknown_fields_are_overlooked_and_complained_about(
    playground: Playground, http: ClientSession, chat: Chat
) -> None:
    keyboard = {"inline_keyboard": [[{"text": "x", "callback_data": "x", "colour": "red"}]]}
    status, _ = await call(http, "sendMessage", chat_id=chat.id, txt="oops", text="x", reply_markup=keyboard)
    assert status == 200
    assert [violation.split(" (")[0] for violation in playground.violations] == [
        "unknown parameter “txt”",
        "unknown field “reply_markup.inline_keyboard[0][0].colour”",
    ]


async def test_a_body_that_is_no_json(http: ClientSession) -> None:
    headers = {"Content-Type": "application/json"}
    async with http.post(f"{API}/getMe", data=b"[", headers=headers) as response:
        assert (await response.json())["description"] == "Bad Request: can't parse JSON request"


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=x"])
async def test_a_body_that_is_no_form(playground: Playground, http: ClientSession, kind: str) -> None:
    async with http.post(f"{API}/getMe", data=b"nothing of the kind", headers={"Content-Type": kind}) as response:
        assert response.status == 400
    assert len(playground.violations) == 1


async def test_a_file_can_be_attached_under_any_name(playground: Playground, http: ClientSession, chat: Chat) -> None:
    form = FormData({"chat_id": str(chat.id), "document": "attach://part"})
    form.add_field("part", b"abc", filename="a.txt")
    async with http.post(f"{API}/sendDocument", data=form) as response:
        assert response.status == 200
    direct = FormData({"chat_id": str(chat.id)})
    direct.add_field("document", b"abc", filename="b.txt")
    async with http.post(f"{API}/sendDocument", data=direct) as response:
        assert response.status == 200
    lost = FormData({"chat_id": str(chat.id), "document": "attach://nowhere"})
    lost.add_field("other", b"abc", filename="a.txt")
    async with http.post(f"{API}/sendDocument", data=lost) as response:
        assert response.status == 400
    assert [playground.content(message) for message in playground.messages(chat)] == [b"abc"] * 2
    assert len(playground.violations) == 1


async def test_answers_are_written_as_telegram_writes_them(http: ClientSession, chat: Chat) -> None:
    _, body = await call(http, "sendMessage", chat_id=chat.id, text="x")
    message = body["result"]
    assert isinstance(message, dict)
    assert set(message) == {"message_id", "date", "chat", "from", "text"}
    assert isinstance(message["date"], int)
    assert message["from"]["is_bot"] is True
    assert json.dumps(message)
