"""aiogram whose models are built when they are first used, beside aiogram as it comes."""

import json
import subprocess
import sys

import pytest
from aiogram.types import Update

EAGERLY, LAZILY = "import aiogram", "import bot, aiogram"
NOT_OUR_WAY = "import bot.telegram.lazy_aiogram; bot.telegram.lazy_aiogram.BASE_CLASS = 'Another'"
SAMPLES = "from tests.bot.update_samples import read_samples, write_samples"
MESSAGE = '{"message_id": 1, "date": 5, "chat": {"id": 2, "type": "private"}, "text": "hi"}'
ANSWERS = f"""
from aiogram.methods import GetFile, GetUpdates, Response, SendMessage
for method, result in (
    (GetFile, {{"file_id": "f", "file_unique_id": "u"}}),
    (SendMessage, {MESSAGE}),
    (GetUpdates, [{{"update_id": 1, "message": {MESSAGE}}}, {{"update_id": 2, "edited_message": {MESSAGE}}}]),
):
    print(repr(Response[method.__returning__].model_validate({{"ok": True, "result": result}})))
"""
REQUESTS = """
from aiogram.methods import EditMessageText, SendMessage
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup, LinkPreviewOptions, ReplyParameters
keys = InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text="a", callback_data="b")]])
for method in (
    SendMessage(chat_id=1, text="hi", reply_markup=keys, reply_parameters=ReplyParameters(message_id=3)),
    EditMessageText(chat_id=1, message_id=2, text="hi", link_preview_options=LinkPreviewOptions(is_disabled=True)),
):
    print(repr(method), method.model_dump(warnings=False))
"""
OF_OURS = f"""
from aiogram.types import Message
Message.model_rebuild()
class Ours(Message):
    mood: str
print(repr(Ours.model_validate({{**{MESSAGE}, "mood": "good"}})))
"""
BUILT = """
from aiogram import methods, types
models = [m for room in (types, methods) for m in vars(room).values() if hasattr(m, "__pydantic_complete__")]
print(len([model for model in models if model.__pydantic_complete__]), len(models))
"""
ALL = """
for model in models:
    model.model_rebuild()
print([model.__name__ for model in models if not model.__pydantic_complete__])
"""


def printed(program: str, text: str = "") -> list[str]:
    """Run `program` in a process of its own."""
    done = subprocess.run([sys.executable, "-c", program], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_every_kind_of_update_is_read_as_by_aiogram_alone() -> None:
    lines = printed(f"{EAGERLY}\n{SAMPLES}\nwrite_samples()")
    updates, expected = lines[::2], lines[1::2]
    assert {kind for update in updates for kind in json.loads(update)} == set(Update.model_fields)
    read = printed(f"{LAZILY}\n{SAMPLES}\nread_samples()", "\n".join(updates))
    for mine, theirs in zip(read, expected, strict=True):
        assert mine == theirs
        assert mine.endswith("True True")


def test_answers_requests_and_types_of_ours_are_as_with_an_aiogram_that_works_in_another_way() -> None:
    (eager, *expected), (lazy, *found) = (
        printed(f"{start}\n{BUILT}\n{ANSWERS}\n{REQUESTS}\n{OF_OURS}")
        for start in (f"{NOT_OUR_WAY}\n{EAGERLY}", LAZILY)
    )
    assert found == expected
    assert len(found) == 6
    assert len(set(eager.split())) == 1, "all are built where the base class is not the one we know"
    assert len(set(lazy.split())) == 2


def test_nothing_is_built_at_the_start_and_everything_can_be() -> None:
    """Should a new aiogram fail here: bot/telegram/lazy_aiogram.py says what it counts on."""
    counts, unbuildable = printed(f"{LAZILY}\n{BUILT}\n{ALL}")
    built, models = map(int, counts.split())
    assert built < 5
    assert models > 500
    assert unbuildable == "[]"


@pytest.mark.parametrize("program", ["bot.process.worker", "bot.process.bot"])
def test_a_worker_and_the_bot_are_imported_without_building_what_they_do_not_need(program: str) -> None:
    built, _ = map(int, printed(f"import {program}\n{BUILT}")[0].split())
    assert built < 20
