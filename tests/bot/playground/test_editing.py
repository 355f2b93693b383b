from aiogram import Bot
from aiogram.types import Chat, InlineKeyboardButton, InlineKeyboardMarkup, ReactionTypeEmoji, User

from bot.playground.api_editing import NOT_MODIFIED
from bot.playground.server import Playground
from tests.bot.playground.expected_errors import refused

BUTTONS = InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text="Cancel", callback_data="c:1")]])


async def test_an_edit_replaces_text_and_buttons(playground: Playground, bot: Bot, chat: Chat) -> None:
    sent = await bot.send_message(chat.id, "working", reply_markup=BUTTONS)
    edited = await bot.edit_message_text("<b>done</b>", chat_id=chat.id, message_id=sent.message_id, parse_mode="HTML")
    assert not isinstance(edited, bool)
    assert (edited.text, edited.reply_markup) == ("done", None)
    assert edited.edit_date is not None
    assert [version.text for version in playground.versions(sent)] == ["working", "done"]


async def test_the_answer_to_an_edit_does_not_tell_what_the_message_replies_to(
    playground: Playground, bot: Bot, chat: Chat
) -> None:
    asked = await bot.send_message(chat.id, "Is it done?")
    sent = await bot.send_message(chat.id, "working", reply_to_message_id=asked.message_id)
    assert sent.reply_to_message is not None
    by_text = await bot.edit_message_text("done", chat_id=chat.id, message_id=sent.message_id)
    by_buttons = await bot.edit_message_reply_markup(chat_id=chat.id, message_id=sent.message_id, reply_markup=BUTTONS)
    for edited in (by_text, by_buttons):
        assert not isinstance(edited, bool)
        assert edited.reply_to_message is None
    assert playground.messages(chat)[-1].reply_to_message is not None, "the chat still shows it"


async def test_an_edit_must_change_something(playground: Playground, bot: Bot, chat: Chat) -> None:
    sent = await bot.send_message(chat.id, "done")
    with refused(f"Bad Request: {NOT_MODIFIED}"):
        await bot.edit_message_text(" done ", chat_id=chat.id, message_id=sent.message_id)
    await bot.edit_message_text("<b>done</b>", chat_id=chat.id, message_id=sent.message_id, parse_mode="HTML")
    await bot.edit_message_reply_markup(chat_id=chat.id, message_id=sent.message_id, reply_markup=BUTTONS)
    with refused(f"Bad Request: {NOT_MODIFIED}"):
        await bot.edit_message_reply_markup(chat_id=chat.id, message_id=sent.message_id, reply_markup=BUTTONS)
    assert len(playground.violations) == 2


async def test_an_edit_that_is_too_long_has_words_of_its_own(bot: Bot, chat: Chat) -> None:
    sent = await bot.send_message(chat.id, "x")
    with refused("Bad Request: MESSAGE_TOO_LONG"):
        await bot.edit_message_text("x" * 4097, chat_id=chat.id, message_id=sent.message_id)


async def test_only_own_messages_can_be_edited(playground: Playground, bot: Bot, chat: Chat, ada: User) -> None:
    asked = playground.send_text(chat, ada, "hi")
    with refused("Bad Request: message can't be edited"):
        await bot.edit_message_text("x", chat_id=chat.id, message_id=asked.message_id)
    with refused("Bad Request: message to edit not found"):
        await bot.edit_message_text("x", chat_id=chat.id, message_id=99)
    assert len(playground.violations) == 2


async def test_an_edit_of_what_a_person_deleted_is_nobodys_fault(playground: Playground, bot: Bot, chat: Chat) -> None:
    sent = await bot.send_message(chat.id, "x")
    playground.delete(sent)
    with refused("Bad Request: message to edit not found"):
        await bot.edit_message_text("y", chat_id=chat.id, message_id=sent.message_id)
    assert playground.violations == []
    assert len(playground.refusals) == 1
    assert [version.text for version in playground.versions(sent)] == ["x"]


async def test_a_message_without_text_gets_none_by_an_edit(
    playground: Playground, bot: Bot, chat: Chat, ada: User
) -> None:
    note = playground.send_voice(chat, ada, b"OggS")
    assert note.voice is not None
    sent = await bot.send_voice(chat.id, note.voice.file_id, caption="a")
    with refused("Bad Request: there is no text in the message to edit"):
        await bot.edit_message_text("x", chat_id=chat.id, message_id=sent.message_id)


async def test_messages_can_be_deleted_for_two_days(playground: Playground, bot: Bot, chat: Chat, ada: User) -> None:
    asked = playground.send_text(chat, ada, "hi")
    old = await bot.send_message(chat.id, "x")
    await bot.delete_message(chat.id, asked.message_id)
    playground.advance(49 * 3600)
    with refused("Bad Request: message can't be deleted for everyone"):
        await bot.delete_message(chat.id, old.message_id)
    with refused("Bad Request: message to delete not found"):
        await bot.delete_message(chat.id, asked.message_id)
    assert [message.message_id for message in playground.messages(chat)] == [old.message_id]


async def test_several_messages_can_be_deleted_at_once(playground: Playground, bot: Bot, chat: Chat) -> None:
    sent = [await bot.send_message(chat.id, text) for text in "abc"]
    await bot.delete_messages(chat.id, [sent[0].message_id, sent[2].message_id, 99])
    assert [message.text for message in playground.messages(chat)] == ["b"]


async def test_others_messages_in_groups_are_for_administrators(
    playground: Playground, bot: Bot, forum: Chat, ada: User
) -> None:
    asked = playground.send_text(forum, ada, "hi")
    with refused("Bad Request: message can't be deleted for everyone"):
        await bot.delete_message(forum.id, asked.message_id)
    playground.state.conversations[forum.id].administrators.add(bot.id)
    assert await bot.delete_message(forum.id, asked.message_id)


async def test_a_pressed_button_reaches_the_bot_and_its_answer_the_person(
    playground: Playground, bot: Bot, chat: Chat, ada: User
) -> None:
    sent = await bot.send_message(chat.id, "x", reply_markup=BUTTONS)
    pressed = playground.press(sent, "c:1", ada)
    (update,) = await bot.get_updates()
    assert update.callback_query is not None
    assert (update.callback_query.id, update.callback_query.data) == (pressed, "c:1")
    assert playground.answers_to(pressed) == []
    await bot.answer_callback_query(pressed, text="Cancelled")
    assert playground.answers_to(pressed) == ["Cancelled"]


async def test_a_button_is_answered_in_time_or_not_at_all(
    playground: Playground, bot: Bot, chat: Chat, ada: User
) -> None:
    sent = await bot.send_message(chat.id, "x", reply_markup=BUTTONS)
    pressed = playground.press(sent, "c:1", ada)
    playground.advance(60)
    words = "Bad Request: query is too old and response timeout expired or query ID is invalid"
    with refused(words):
        await bot.answer_callback_query(pressed)
    assert playground.violations == []
    with refused(words):
        await bot.answer_callback_query("404")
    assert len(playground.violations) == 1


async def test_reactions(playground: Playground, bot: Bot, chat: Chat, ada: User) -> None:
    asked = playground.send_text(chat, ada, "hi")
    await bot.set_message_reaction(chat.id, asked.message_id, [ReactionTypeEmoji(emoji="👀")])
    assert playground.state.reactions[chat.id, asked.message_id] == ["👀"]
    with refused("Bad Request: REACTION_INVALID"):
        await bot.set_message_reaction(chat.id, asked.message_id, [ReactionTypeEmoji(emoji="🦆")])
    with refused("Bad Request: message to react not found"):
        await bot.set_message_reaction(chat.id, 99)
