"""aiogram whose models are built when they are first used, beside aiogram as it comes."""

import json
import subprocess
import sys
from dataclasses import dataclass

import pytest
from aiogram.types import Update

LAZILY = "import bot, aiogram"
EAGERLY = "import bot.telegram.lazy_aiogram; bot.telegram.lazy_aiogram.BASE_CLASS = 'Another'; import aiogram"
SAMPLES = "from tests.bot.update_samples import read_samples, write_samples"
EXAMPLES = 6  # lines of the three programs that follow
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


@dataclass(frozen=True)
class Printed:
    """What a process printed: how many models were built at its start, of how many; examples; updates; the rest."""

    built: int
    models: int
    examples: list[str]
    updates: list[str]
    unbuildable: str


@pytest.fixture(scope="module")
def eager() -> Printed:
    """What aiogram does as it comes, which it is when its base class is not the one that we know."""
    lines = printed(f"{EAGERLY}\n{BUILT}\n{ANSWERS}\n{REQUESTS}\n{OF_OURS}\n{SAMPLES}\nwrite_samples()")
    built, models = map(int, lines[0].split())
    return Printed(built, models, lines[1 : 1 + EXAMPLES], lines[1 + EXAMPLES :], "[]")


@pytest.fixture(scope="module")
def lazy(eager: Printed) -> Printed:
    """What it does when its models are built on first use, given the same updates."""
    lines = printed(
        f"{LAZILY}\n{BUILT}\n{ANSWERS}\n{REQUESTS}\n{OF_OURS}\n{SAMPLES}\nread_samples()\n{ALL}",
        "\n".join(eager.updates[::2]),
    )
    built, models = map(int, lines[0].split())
    return Printed(built, models, lines[1 : 1 + EXAMPLES], lines[1 + EXAMPLES : -1], lines[-1])


def test_every_kind_of_update_is_read_as_by_aiogram_alone(eager: Printed, lazy: Printed) -> None:
    updates, expected = eager.updates[::2], eager.updates[1::2]
    assert {kind for update in updates for kind in json.loads(update)} == set(Update.model_fields)
    for mine, theirs in zip(lazy.updates, expected, strict=True):
        assert mine == theirs
        assert mine.endswith("True True")


def test_answers_requests_and_types_of_ours_are_read_and_written_as_by_aiogram_alone(
    eager: Printed, lazy: Printed
) -> None:
    assert lazy.examples == eager.examples


def test_all_models_are_built_at_the_start_where_the_base_class_is_not_the_one_we_know(eager: Printed) -> None:
    assert eager.built == eager.models


def test_nothing_is_built_at_the_start_and_everything_can_be(lazy: Printed) -> None:
    """Should a new aiogram fail here: bot/telegram/lazy_aiogram.py says what it counts on."""
    assert lazy.built < 5
    assert lazy.models > 500
    assert lazy.unbuildable == "[]"


def test_a_worker_and_the_bot_are_imported_without_building_what_they_do_not_need() -> None:
    counts = printed(f"import bot.process.worker\n{BUILT}\nimport bot.process.bot\n{BUILT}")
    assert [int(line.split()[0]) < 20 for line in counts] == [True, True]
