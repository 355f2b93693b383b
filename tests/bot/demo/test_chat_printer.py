import pytest
from aiogram.types import Chat, InlineKeyboardButton, InlineKeyboardMarkup, Message, User, Voice

from bot.demo.chat_printer import ChatPrinter, format_message
from bot.playground.server import Playground

EARSHOT = User(id=42, is_bot=True, first_name="Earshot")
ADA = User(id=1, is_bot=False, first_name="Ada")


def message(user: User = EARSHOT, **content: object) -> Message:
    return Message.model_validate(
        {"message_id": 1, "date": 0, "chat": Chat(id=1, type="private"), "from": user} | content
    )


def test_a_line_has_time_author_words_and_buttons() -> None:
    cancel = InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text="Cancel", callback_data="c")]])
    said = message(text="In the queue", reply_markup=cancel)
    assert format_message(said, 1.25, {}) == "   1.2 s  Earshot  In the queue [Cancel]"
    voice = Voice(file_id="f", file_unique_id="u", duration=10)
    assert format_message(message(ADA, voice=voice), 0, {1: "a.ogg"}) == "   0.0 s  You      (voice note, 10 s)"


def test_of_several_recordings_it_is_told_which_was_sent_and_which_is_answered() -> None:
    names = {1: "a.ogg", 2: "b.ogg"}
    sent = message(ADA, voice=Voice(file_id="f", file_unique_id="u", duration=10))
    assert format_message(sent, 0, names).endswith("You      a.ogg: (voice note, 10 s)")
    answer = message(message_id=3, text="Hello", reply_to_message=sent)
    assert format_message(answer, 0, names).endswith("Earshot  a.ogg: Hello")


def test_long_texts_are_wrapped_below_their_beginning() -> None:
    lines = format_message(message(text="word " * 60 + "\n\nend"), 0, {}).splitlines()
    assert max(map(len, lines)) <= 96
    assert all(after.startswith(" " * 19) for after in lines[1:] if after.strip())
    assert lines[-2].strip() == ""
    assert lines[-1].strip() == "end"


async def test_every_version_of_a_message_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    playground = Playground()
    ada = playground.user()
    chat = playground.private_chat(ada)
    printer = ChatPrinter(playground, chat)
    sent = playground.send_text(chat, ada, "one")
    printer.print_new()
    playground.edit(sent, "two")
    printer.print_new()
    printer.print_new()
    assert [text.split()[-1] for text in capsys.readouterr().out.splitlines()] == ["one", "two"]
