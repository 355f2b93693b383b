import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramForbiddenError, TelegramMigrateToChat
from aiogram.types import Chat, User

from bot.playground.server import Playground
from tests.bot.playground.expected_errors import refused


async def test_a_message_in_a_topic_says_so(playground: Playground, bot: Bot, forum: Chat, ada: User) -> None:
    thread = playground.topic(forum, ada, "Ideas")
    playground.send_voice(forum, ada, b"OggS", thread_id=thread)
    created, spoken = [update.message for update in await bot.get_updates()]
    assert created is not None
    assert spoken is not None
    assert created.forum_topic_created is not None
    assert (spoken.message_thread_id, spoken.is_topic_message) == (thread, True)
    assert spoken.reply_to_message is not None
    assert spoken.reply_to_message.message_id == created.message_id


async def test_an_answer_goes_to_the_topic(playground: Playground, bot: Bot, forum: Chat, ada: User) -> None:
    thread = playground.topic(forum, ada, "Ideas")
    sent = await bot.send_message(forum.id, "x", message_thread_id=thread)
    assert (sent.message_thread_id, sent.is_topic_message) == (thread, True)
    assert playground.violations == []


async def test_the_general_topic_has_no_number(playground: Playground, bot: Bot, forum: Chat, ada: User) -> None:
    playground.send_text(forum, ada, "hi")
    (update,) = await bot.get_updates()
    assert update.message is not None
    assert update.message.message_thread_id is None
    with refused("Bad Request: message thread not found"):
        await bot.send_message(forum.id, "x", message_thread_id=1)
    assert await bot.send_chat_action(forum.id, "typing", message_thread_id=1)
    assert len(playground.violations) == 1


async def test_a_reply_in_a_group_has_a_thread_that_is_no_topic(playground: Playground, bot: Bot, ada: User) -> None:
    group = playground.group(title="Plain")
    first = playground.send_text(group, ada, "hi")
    playground.send_text(group, ada, "again", reply_to=first)
    reply = (await bot.get_updates())[1].message
    assert reply is not None
    assert (reply.message_thread_id, reply.is_topic_message) == (first.message_id, None)
    with refused("Bad Request: message thread not found"):
        await bot.send_message(group.id, "x", message_thread_id=reply.message_thread_id)


async def test_closed_and_deleted_topics_refuse(playground: Playground, bot: Bot, forum: Chat, ada: User) -> None:
    thread = playground.topic(forum, ada, "Ideas")
    sent = await bot.send_message(forum.id, "x", message_thread_id=thread)
    playground.close_topic(forum, thread)
    with refused("Bad Request: TOPIC_CLOSED"):
        await bot.send_message(forum.id, "x", message_thread_id=thread)
    with refused("Bad Request: TOPIC_CLOSED"):
        await bot.edit_message_text("y", chat_id=forum.id, message_id=sent.message_id)
    playground.reopen_topic(forum, thread)
    await bot.edit_message_text("y", chat_id=forum.id, message_id=sent.message_id)
    playground.delete_topic(forum, thread)
    with refused("Bad Request: message thread not found"):
        await bot.send_message(forum.id, "x", message_thread_id=thread)
    with refused("Bad Request: message to edit not found"):
        await bot.edit_message_text("z", chat_id=forum.id, message_id=sent.message_id)
    assert playground.violations == []
    assert len(playground.refusals) == 4


async def test_a_closed_general_topic_refuses_all_but_administrators(
    playground: Playground, bot: Bot, forum: Chat
) -> None:
    playground.close_topic(forum, None)
    with refused("Bad Request: TOPIC_CLOSED"):
        await bot.send_message(forum.id, "x")
    playground.state.conversations[forum.id].administrators.add(bot.id)
    assert await bot.send_message(forum.id, "x")


async def test_a_group_that_became_a_supergroup_names_its_new_id(playground: Playground, bot: Bot, ada: User) -> None:
    group = playground.group(-77, "Small", members=(ada,))
    assert group.type == "group"
    bigger = playground.upgrade(group, ada)
    with pytest.raises(TelegramMigrateToChat) as moved:
        await bot.send_message(group.id, "x")
    assert moved.value.migrate_to_chat_id == bigger.id
    assert (await bot.send_message(bigger.id, "x")).chat.type == "supergroup"
    told = [update.message for update in await bot.get_updates() if update.message]
    assert [message.migrate_to_chat_id or message.migrate_from_chat_id for message in told] == [bigger.id, group.id]
    assert playground.violations == []


async def test_a_bot_that_is_not_wanted_cannot_write(playground: Playground, bot: Bot, chat: Chat, ada: User) -> None:
    playground.block(ada)
    with pytest.raises(TelegramForbiddenError, match="Forbidden: bot was blocked by the user"):
        await bot.send_message(chat.id, "x")
    playground.unblock(ada)
    await bot.send_message(chat.id, "x")
    group = playground.group(title="Team")
    playground.remove_bot(group, ada)
    with pytest.raises(TelegramForbiddenError, match="Forbidden: bot was kicked from the supergroup chat"):
        await bot.send_message(group.id, "x")
    playground.send_text(group, ada, "unheard")
    assert [update.event_type for update in await bot.get_updates()] == ["my_chat_member"] * 3
    assert playground.violations == []


async def test_privacy_mode_hides_what_is_not_meant_for_the_bot(
    playground: Playground, bot: Bot, forum: Chat, ada: User
) -> None:
    playground.privacy_mode = True
    assert not (await bot.get_me()).can_read_all_group_messages
    said = await bot.send_message(forum.id, "x")
    playground.send_voice(forum, ada, b"OggS")
    playground.send_text(forum, ada, "just talking")
    playground.send_text(forum, ada, "/help@another_bot")
    playground.send_text(forum, ada, "/help")
    playground.send_text(forum, ada, "@earshot_bot please")
    playground.send_text(forum, ada, "thanks", reply_to=said)
    heard = [update.message.text for update in await bot.get_updates() if update.message]
    assert heard == ["/help", "@earshot_bot please", "thanks"]


async def test_who_is_who(playground: Playground, bot: Bot, forum: Chat, ada: User) -> None:
    bob = playground.user(2, first_name="Bob")
    playground.send_text(forum, bob, "hi")
    playground.user(3)
    statuses = [(await bot.get_chat_member(forum.id, number)).status for number in (ada.id, bob.id, 3, bot.id)]
    assert statuses == ["creator", "member", "left", "member"]
    with refused("Bad Request: member not found"):
        await bot.get_chat_member(forum.id, 404)


async def test_hidden_members_are_told_to_administrators_alone(playground: Playground, bot: Bot, ada: User) -> None:
    group = playground.group(administrators=(ada,), hides_members=True)
    assert (await bot.get_chat_member(group.id, bot.id)).status == "member"
    with refused("Bad Request: member list is inaccessible"):
        await bot.get_chat_member(group.id, ada.id)
    group = playground.group(administrators=(ada,), bot_is_administrator=True, hides_members=True)
    assert (await bot.get_chat_member(group.id, ada.id)).status == "creator"


async def test_who_writes_in_the_name_of_a_chat_is_known_by_that_chat_alone(
    playground: Playground, bot: Bot, ada: User
) -> None:
    group = playground.group(administrators=(ada,))
    channel = Chat(id=-1_001_000_000_100, type="channel", title="Channel")
    for in_name_of in (channel, group):
        playground.send_text(group, ada, "/help", in_name_of=in_name_of)
    seen = [update.message for update in await bot.get_updates(timeout=1) if update.message]
    assert [message.from_user.username for message in seen if message.from_user] == ["Channel_Bot", "GroupAnonymousBot"]
    assert [message.sender_chat.id for message in seen if message.sender_chat] == [channel.id, group.id]
