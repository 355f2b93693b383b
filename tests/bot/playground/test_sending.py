import pytest
from aiogram import Bot
from aiogram.types import (
    BufferedInputFile,
    Chat,
    ForceReply,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    MessageEntity,
    ReplyParameters,
    User,
)

from bot.playground.server import Playground
from bot.playground.state import as_json
from tests.bot.playground.expected_errors import refused


def keyboard(*data: str | None, text: str = "x", url: str | None = None) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(
        inline_keyboard=[[InlineKeyboardButton(text=text, callback_data=one, url=url)] for one in data]
    )


async def test_a_text_arrives_with_its_entities(playground: Playground, bot: Bot, chat: Chat) -> None:
    sent = await bot.send_message(chat.id, "  <b>🎉</b> hi &amp; https://example.org ", parse_mode="HTML")
    assert sent.text == "🎉 hi & https://example.org"
    assert [(one.type, one.offset, one.length) for one in sent.entities or []] == [("bold", 0, 2), ("url", 8, 19)]
    assert as_json(playground.messages(chat)[0]) == as_json(sent)
    assert playground.violations == []


async def test_message_ids_grow_in_each_chat_by_itself(playground: Playground, bot: Bot, chat: Chat) -> None:
    other = playground.private_chat(playground.user(2))
    ids = [(await bot.send_message(to.id, "hi")).message_id for to in (chat, chat, other)]
    assert ids == [1, 2, 1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x" * 4097, "message is too long"),
        ("🎉" * 2049, "message is too long"),
        ("x" * 32769, "text is too long"),
        ("", "message text is empty"),
        (" \n ", "text must be non-empty"),
    ],
)
async def test_texts_that_telegram_refuses(playground: Playground, bot: Bot, chat: Chat, text: str, words: str) -> None:
    with refused(f"Bad Request: {words}"):
        await bot.send_message(chat.id, text)
    assert playground.violations[0].startswith(f"Bad Request: {words} (sendMessage")


async def test_the_limit_counts_utf16_units_after_parsing(bot: Bot, chat: Chat) -> None:
    sent = await bot.send_message(chat.id, f"<b>{'🎉' * 2048}</b>", parse_mode="HTML")
    assert len(sent.text or "") == 2048


async def test_control_characters_do_not_survive(bot: Bot, chat: Chat) -> None:
    assert (await bot.send_message(chat.id, "a\r\nb\tc\0d")).text == "a\nb c d"


async def test_faulty_markup_is_refused(playground: Playground, bot: Bot, chat: Chat) -> None:
    with refused("Bad Request: can't parse entities: Can't find end tag corresponding to start tag \"b\""):
        await bot.send_message(chat.id, "<b>x", parse_mode="HTML")
    with refused("Bad Request: unsupported parse_mode"):
        await bot.send_message(chat.id, "x", parse_mode="rtf")
    assert len(playground.violations) == 2


@pytest.mark.parametrize("parse_mode", ["Markdown", "MarkdownV2", "markdownv2"])
async def test_markdown_is_refused_rather_than_sent_as_plain_text(
    playground: Playground, bot: Bot, chat: Chat, parse_mode: str
) -> None:
    with refused(f"Bad Request: parse_mode {parse_mode} is not part of the playground"):
        await bot.send_message(chat.id, "*x*", parse_mode=parse_mode)
    assert playground.messages(chat) == []
    assert len(playground.violations) == 1


async def test_entities_may_be_given_instead(bot: Bot, chat: Chat) -> None:
    sent = await bot.send_message(chat.id, "abc", entities=[MessageEntity(type="italic", offset=1, length=2)])
    assert [(one.type, one.offset, one.length) for one in sent.entities or []] == [("italic", 1, 2)]


async def test_a_chat_must_exist(bot: Bot) -> None:
    with refused("Bad Request: chat not found"):
        await bot.send_message(404, "x")
    with refused("Bad Request: chat not found"):
        await bot.send_message("@nobody", "x")


async def test_a_reply_shows_what_it_answers(playground: Playground, bot: Bot, chat: Chat, ada: User) -> None:
    asked = playground.send_text(chat, ada, "hi")
    sent = await bot.send_message(chat.id, "yes", reply_parameters=ReplyParameters(message_id=asked.message_id))
    assert sent.reply_to_message is not None
    assert sent.reply_to_message.text == "hi"
    old_way = await bot.send_message(chat.id, "yes", reply_to_message_id=asked.message_id)
    assert old_way.reply_to_message is not None


async def test_a_reply_to_nothing_is_refused_unless_allowed(
    playground: Playground, bot: Bot, chat: Chat, ada: User
) -> None:
    asked = playground.send_text(chat, ada, "hi")
    playground.delete(asked)
    reply = ReplyParameters(message_id=asked.message_id)
    with refused("Bad Request: message to be replied not found"):
        await bot.send_message(chat.id, "yes", reply_parameters=reply)
    tolerant = ReplyParameters(message_id=asked.message_id, allow_sending_without_reply=True)
    sent = await bot.send_message(chat.id, "yes", reply_parameters=tolerant)
    assert sent.reply_to_message is None
    assert playground.violations == []
    assert len(playground.refusals) == 1


@pytest.mark.parametrize(
    ("markup", "words"),
    [
        (keyboard("é" * 33), "BUTTON_DATA_INVALID"),
        (keyboard(""), "BUTTON_DATA_INVALID"),
        (
            keyboard(None),
            "can't parse inline keyboard button: text buttons are unallowed in the inline keyboard",
        ),
        (keyboard("x", text=" "), "can't parse inline keyboard button: text must be non-empty"),
        (keyboard(*["x"] * 101), "reply markup is too long"),
        (
            keyboard("x", url="https://example.org"),
            "can't parse inline keyboard button: exactly one of callback_data, url is allowed",
        ),
        (keyboard(None, url="nowhere"), "inline keyboard button URL 'nowhere' is invalid: Wrong HTTP URL"),
    ],
)
async def test_buttons_that_telegram_refuses(bot: Bot, chat: Chat, markup: InlineKeyboardMarkup, words: str) -> None:
    with refused(f"Bad Request: {words}"):
        await bot.send_message(chat.id, "x", reply_markup=markup)


async def test_callback_data_may_have_64_bytes(bot: Bot, chat: Chat) -> None:
    sent = await bot.send_message(chat.id, "x", reply_markup=keyboard("é" * 32))
    assert sent.reply_markup is not None


async def test_other_keyboards_are_accepted(playground: Playground, bot: Bot, chat: Chat) -> None:
    sent = await bot.send_message(chat.id, "x", reply_markup=ForceReply())
    assert sent.reply_markup is None
    assert playground.violations == []


async def test_a_document_can_be_uploaded_and_downloaded(playground: Playground, bot: Bot, chat: Chat) -> None:
    sent = await bot.send_document(
        chat.id, BufferedInputFile(b"abc", "naïve.txt"), caption="<i>c</i>", parse_mode="HTML"
    )
    assert sent.document is not None
    assert (sent.document.file_name, sent.document.mime_type, sent.document.file_size) == ("naïve.txt", "text/plain", 3)
    assert sent.caption == "c"
    assert playground.content(playground.messages(chat)[0]) == b"abc"


async def test_a_caption_is_shorter_than_a_text(bot: Bot, chat: Chat) -> None:
    file = BufferedInputFile(b"abc", "a.txt")
    await bot.send_document(chat.id, file, caption="x" * 1024)
    with refused("Bad Request: message caption is too long"):
        await bot.send_document(chat.id, file, caption="x" * 1025)


async def test_an_empty_file_is_refused(bot: Bot, chat: Chat) -> None:
    with refused("Bad Request: file must be non-empty"):
        await bot.send_document(chat.id, BufferedInputFile(b"", "a.txt"))


async def test_documents_are_limited(playground: Playground, bot: Bot, chat: Chat) -> None:
    with refused("Request Entity Too Large"):
        await bot.send_document(chat.id, BufferedInputFile(bytes(50 * 1024 * 1024 + 1), "a.bin"))
    assert len(playground.violations) == 1


async def test_a_recording_can_be_sent_again_by_its_id(playground: Playground, bot: Bot, chat: Chat, ada: User) -> None:
    note = playground.send_voice(chat, ada, b"OggS", duration=4)
    assert note.voice is not None
    sent = await bot.send_voice(chat.id, note.voice.file_id)
    assert sent.voice is not None
    assert as_json(sent.voice) == as_json(note.voice)
    again = playground.send_voice(chat, ada, b"OggS")
    assert again.voice is not None
    assert again.voice.file_unique_id == note.voice.file_unique_id
    assert again.voice.file_id != note.voice.file_id


async def test_a_file_id_must_be_known_and_of_the_right_kind(
    playground: Playground, bot: Bot, chat: Chat, ada: User
) -> None:
    note = playground.send_voice(chat, ada, b"OggS")
    assert note.voice is not None
    with refused("Bad Request: can't use file of type Voice as Audio"):
        await bot.send_audio(chat.id, note.voice.file_id)
    with refused("Bad Request: wrong file identifier/HTTP URL specified"):
        await bot.send_voice(chat.id, "nonsense")


@pytest.mark.parametrize("kind", ["voice", "audio", "video", "video_note"])
async def test_every_kind_of_recording_can_be_uploaded(bot: Bot, chat: Chat, kind: str) -> None:
    sent = await getattr(bot, f"send_{kind}")(chat.id, BufferedInputFile(b"abc", "a.bin"), duration=2)
    assert getattr(sent, kind).duration == 2


async def test_actions_are_those_of_the_bot_api(playground: Playground, bot: Bot, chat: Chat) -> None:
    await bot.send_chat_action(chat.id, "record_voice")
    assert [action.action for action in playground.state.actions] == ["record_voice"]
    with refused("Bad Request: wrong parameter action in request"):
        await bot.send_chat_action(chat.id, "dance")


async def test_a_draft_lasts_until_the_message_comes(playground: Playground, bot: Bot, chat: Chat, forum: Chat) -> None:
    await bot.send_message_draft(chat.id, draft_id=1, text="Ask not")
    assert [draft.text for draft in playground.state.drafts.values()] == ["Ask not"]
    await bot.send_message(chat.id, "Ask not what")
    assert playground.state.drafts == {}
    with refused("Bad Request: message drafts can be sent only to private chats"):
        await bot.send_message_draft(forum.id, draft_id=1, text="x")


async def test_what_the_playground_cannot_act_out_is_refused(bot: Bot, chat: Chat) -> None:
    with refused("Bad Request: business_connection_id is not part of the playground"):
        await bot.send_message(chat.id, "x", business_connection_id="b")
