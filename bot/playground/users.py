"""Simulates users: what they do in their chats, and the updates that the bot gets for it."""

from pathlib import Path

from aiogram.types import (
    CallbackQuery,
    Chat,
    ChatMemberBanned,
    ChatMemberLeft,
    ChatMemberMember,
    ChatMemberUpdated,
    Message,
    MessageOriginHiddenUser,
    User,
)

from bot.playground.api_bot import member_of
from bot.playground.chats import Conversation, Topic
from bot.playground.entities import detect_entities
from bot.playground.state import ButtonPress, ServerState, callback_data_of
from bot.playground.stored_files import Kind

SUPERGROUP_BASE = -1_000_000_000_000
# Whom Telegram names as the sender where somebody writes in the name of a chat.
CHANNEL_BOT = User(id=136_817_688, is_bot=True, first_name="Channel", username="Channel_Bot")
GROUP_ANONYMOUS_BOT = User(id=1_087_968_824, is_bot=True, first_name="Group", username="GroupAnonymousBot")


class SimulatedUsers:
    """Acts as the users who write to the bot."""

    def __init__(self, state: ServerState) -> None:
        """Act in `state`."""
        self.state = state

    @property
    def privacy_mode(self) -> bool:
        """Tell whether the bot sees only commands, mentions and replies in groups."""
        return not self.state.bot.can_read_all_group_messages

    @privacy_mode.setter
    def privacy_mode(self, on: bool) -> None:
        self.state.bot = self.state.bot.model_copy(update={"can_read_all_group_messages": not on})

    # Who and where

    def user(
        self,
        id: int = 1,  # noqa: A002 - Telegram's own word
        language_code: str = "en",
        *,
        first_name: str = "Ada",
        last_name: str | None = None,
        username: str | None = None,
    ) -> User:
        """Create a user, or replace the one with this id."""
        person = User(
            id=id, is_bot=False, first_name=first_name, last_name=last_name, username=username,
            language_code=language_code,
        )  # fmt: skip
        self.state.users[id] = person
        return person

    def private_chat(self, user: User) -> Chat:
        """Open the private chat of `user` with the bot, as if START had been pressed."""
        known = self.state.conversations.get(user.id)
        if known is not None:
            return known.chat
        chat = Chat(
            id=user.id, type="private", first_name=user.first_name, last_name=user.last_name, username=user.username
        )
        self._open(chat, [user])
        return chat

    def group(  # noqa: PLR0913 - what a group has
        self,
        id: int = -1_001_000_000_001,  # noqa: A002 - Telegram's own word
        title: str = "Group",
        *,
        forum: bool = False,
        members: tuple[User, ...] = (),
        administrators: tuple[User, ...] = (),
        bot_is_administrator: bool = False,
        hides_members: bool = False,
    ) -> Chat:
        """Create a group with the bot in it; an id below -1000000000000 makes a supergroup.

        A group that `hides_members` hides them from a bot that is no administrator, too.
        """
        kind = "supergroup" if id < SUPERGROUP_BASE else "group"
        chat = Chat(id=id, type=kind, title=title, is_forum=forum or None)
        conversation = self._open(chat, [*members, *administrators])
        conversation.administrators |= {leader.id for leader in administrators}
        conversation.hides_members = hides_members
        if bot_is_administrator:
            conversation.administrators.add(self.state.bot.id)
        return chat

    def _open(self, chat: Chat, members: list[User]) -> Conversation:
        conversation = Conversation(chat, self.state.bot)
        conversation.members = {member.id: member for member in [self.state.bot, *members]}
        conversation.last_id = 0 if chat.type == "private" else 1  # a group's first message says that it was made
        self.state.conversations[chat.id] = conversation
        self.state.changed.notify_all()
        return conversation

    # Writing

    def send_text(  # noqa: PLR0913 - what a text has
        self,
        chat: Chat,
        user: User,
        text: str,
        *,
        reply_to: Message | None = None,
        thread_id: int | None = None,
        in_name_of: Chat | None = None,
    ) -> Message:
        """Send a text or a command; `in_name_of` is the user's channel, or the group where an admin is anonymous."""
        content: dict[str, object] = {"text": text, "entities": detect_entities(text, []) or None}
        user = _in_name_of(in_name_of, chat, user, content)
        return self._send(chat, user, content, reply_to=reply_to, thread_id=thread_id)

    def send_voice(  # noqa: PLR0913 - what a recording has
        self,
        chat: Chat,
        user: User,
        path_or_bytes: Path | str | bytes,
        *,
        kind: Kind = "voice",
        thread_id: int | None = None,
        duration: int = 3,
        mime: str | None = None,
        file_name: str | None = None,
        caption: str | None = None,
        reply_to: Message | None = None,
        forwarded: bool = False,
        in_name_of: Chat | None = None,
    ) -> Message:
        """Send a recording or file; `duration` (seconds) and `mime` are what the sender claims, true or not.

        `in_name_of` is as for `send_text`.
        """
        sound, named = _read_recording(path_or_bytes)
        stored = self.state.files.add(
            kind, sound, name=None if kind in {"voice", "video_note"} else file_name or named, mime=mime,
            duration=duration,
        )  # fmt: skip
        content: dict[str, object] = {kind: stored.medium()}
        if caption is not None:
            content |= {"caption": caption, "caption_entities": detect_entities(caption, []) or None}
        if forwarded:
            content["forward_origin"] = self._forward_origin()
        user = _in_name_of(in_name_of, chat, user, content)
        return self._send(chat, user, content, reply_to=reply_to, thread_id=thread_id)

    def forward(self, message: Message, chat: Chat, user: User, *, thread_id: int | None = None) -> Message:
        """Forward a message; a recording keeps its `file_id`."""
        names = ("text", "entities", "voice", "audio", "video", "video_note", "document", "caption", "caption_entities")
        content = {name: getattr(message, name) for name in names}
        return self._send(
            chat, user, content | {"forward_origin": self._forward_origin()}, reply_to=None, thread_id=thread_id
        )

    def _forward_origin(self) -> MessageOriginHiddenUser:
        return MessageOriginHiddenUser.model_validate({"date": int(self.state.now()), "sender_user_name": "Grace"})

    def _send(
        self, chat: Chat, user: User, content: dict[str, object], *, reply_to: Message | None, thread_id: int | None
    ) -> Message:
        conversation = self.state.conversations[chat.id]
        if thread_id is not None and thread_id not in conversation.topics:
            raise ValueError(f"“{chat.title}” has no topic {thread_id}")
        if not user.is_bot:
            conversation.members[user.id] = user
        now = self.state.now()
        message = conversation.post(user, now, content, thread_id=thread_id, reply_to=reply_to)
        if conversation.blocked_reason is None and self._is_visible_to_bot(conversation, message):
            self.state.announce("message", message)
        self.state.changed.notify_all()
        return message

    def _is_visible_to_bot(self, conversation: Conversation, message: Message) -> bool:
        """Tell whether privacy mode lets the bot see a message."""
        if conversation.is_private or not self.privacy_mode or self.state.bot.id in conversation.administrators:
            return True
        answered = message.reply_to_message
        if answered is not None and answered.from_user is not None and answered.from_user.id == self.state.bot.id:
            return True
        text = message.text or message.caption or ""
        name = f"@{self.state.bot.username}".lower()
        starts = text.startswith("/") and "@" not in text.split(maxsplit=1)[0]
        return starts or name in text.lower()

    # Buttons, and what becomes of messages

    def press(self, message: Message, callback_data: str, user: User) -> str:
        """Press a button of the message and give the id of the callback query.

        Raises:
            ValueError: The message has no such button now.
        """
        conversation = self.state.conversations[message.chat.id]
        shown = conversation.messages.get(message.message_id)
        if shown is None or callback_data not in callback_data_of(shown):
            raise ValueError(f"message {message.message_id} has no button “{callback_data}” now")
        query = CallbackQuery.model_validate({
            "id": str(next(self.state.query_numbers)),
            "from": user,
            "chat_instance": str(conversation.chat.id * 7919),
            "message": shown,
            "data": callback_data,
        })  # fmt: skip
        self.state.button_presses[query.id] = ButtonPress(query, self.state.now())
        self.state.announce("callback_query", query)
        return query.id

    def edit(self, message: Message, text: str) -> Message:
        """Edit a user's text message."""
        conversation = self.state.conversations[message.chat.id]
        content: dict[str, object] = {"text": text, "entities": detect_entities(text, []) or None}
        changed = conversation.change(message, self.state.now(), content)
        self.state.announce("edited_message", changed)
        self.state.changed.notify_all()
        return changed

    def delete(self, message: Message) -> None:
        """Delete a message for everybody; the bot gets no update."""
        conversation = self.state.conversations[message.chat.id]
        conversation.deleted_by_users.add(message.message_id)
        conversation.remove(message.message_id)
        self.state.changed.notify_all()

    # Letting the bot in and out

    def block(self, user: User) -> None:
        """Block the bot."""
        self._block_bot(self.state.conversations[user.id], user, "bot was blocked by the user")

    def remove_bot(self, chat: Chat, user: User) -> None:
        """Remove the bot from a group."""
        self._block_bot(self.state.conversations[chat.id], user, f"bot was kicked from the {chat.type} chat")

    def _block_bot(self, conversation: Conversation, user: User, words: str) -> None:
        conversation.blocked_reason = words
        bot = self.state.bot
        before = ChatMemberMember(user=bot)
        now = int(self.state.now())
        after = ChatMemberBanned.model_validate({"user": bot, "until_date": 0})
        self._announce_membership(
            conversation, user, {"date": now, "old_chat_member": before, "new_chat_member": after}
        )

    def unblock(self, user: User) -> None:
        """Unblock the bot."""
        self.readd_bot(self.state.conversations[user.id].chat, user)

    def readd_bot(self, chat: Chat, user: User) -> None:
        """Add the bot to a group again."""
        conversation = self.state.conversations[chat.id]
        conversation.blocked_reason = None
        bot = self.state.bot
        change = {
            "date": int(self.state.now()),
            "old_chat_member": ChatMemberLeft(user=bot),
            "new_chat_member": member_of(conversation, bot),
        }
        self._announce_membership(conversation, user, change)

    def _announce_membership(self, conversation: Conversation, user: User, change: dict[str, object]) -> None:
        event = ChatMemberUpdated.model_validate({"chat": conversation.chat, "from": user} | change)
        self.state.announce("my_chat_member", event)
        self.state.changed.notify_all()

    # Groups that change

    def topic(self, chat: Chat, user: User, name: str) -> int:
        """Create a forum topic and give its thread id."""
        conversation = self.state.conversations[chat.id]
        content: dict[str, object] = {"forum_topic_created": {"name": name, "icon_color": 7322096}}
        created = conversation.post(user, self.state.now(), content, thread_id=None, reply_to=None)
        placed = {"message_thread_id": created.message_id, "is_topic_message": True}
        created = conversation.replace_silently(created, placed)
        conversation.topics[created.message_id] = Topic(created.message_id, name, created)
        self.state.announce("message", created)
        self.state.changed.notify_all()
        return created.message_id

    def close_topic(self, chat: Chat, thread_id: int | None) -> None:
        """Close a topic; None is the general topic."""
        self._set_closed(chat, thread_id, closed=True)

    def reopen_topic(self, chat: Chat, thread_id: int | None) -> None:
        """Reopen a closed topic; None is the general topic."""
        self._set_closed(chat, thread_id, closed=False)

    def _set_closed(self, chat: Chat, thread_id: int | None, *, closed: bool) -> None:
        conversation = self.state.conversations[chat.id]
        if thread_id is None:
            conversation.general_closed = closed
        else:
            conversation.topics[thread_id].closed = closed
        self.state.changed.notify_all()

    def delete_topic(self, chat: Chat, thread_id: int) -> None:
        """Delete a topic with its messages."""
        conversation = self.state.conversations[chat.id]
        for message in conversation.messages_in_topic(thread_id):
            self.delete(message)
        del conversation.topics[thread_id]
        conversation.deleted_topics.add(thread_id)

    def upgrade(self, chat: Chat, user: User) -> Chat:
        """Upgrade a group to a supergroup, which has a new id and none of the old messages."""
        old = self.state.conversations[chat.id]
        new = self.group(SUPERGROUP_BASE + chat.id, chat.title or "", members=tuple(old.members.values()))
        self.state.conversations[new.id].administrators = set(old.administrators)
        self._send(chat, user, {"migrate_to_chat_id": new.id}, reply_to=None, thread_id=None)
        self._send(new, user, {"migrate_from_chat_id": chat.id}, reply_to=None, thread_id=None)
        old.upgraded_to = new.id
        return new

    # Looking

    def messages(self, chat: Chat) -> list[Message]:
        """Give the present messages of a chat."""
        return list(self.state.conversations[chat.id].messages.values())

    def versions(self, message: Message) -> list[Message]:
        """Give all versions of a message, the newest last; also of a deleted one."""
        return list(self.state.conversations[message.chat.id].versions[message.message_id])

    def content(self, message: Message) -> bytes:
        """Give the content of the file in a message.

        Raises:
            ValueError: The message has no file.
        """
        medium = message.voice or message.audio or message.video or message.video_note or message.document
        if medium is None:
            raise ValueError(f"message {message.message_id} carries no file")
        return self.state.files.by_id[medium.file_id].content

    def answers_to(self, query_id: str) -> list[str | None]:
        """Give the bot's answers to a callback query; empty while it has not answered."""
        return list(self.state.button_presses[query_id].answers)


def _in_name_of(sender: Chat | None, chat: Chat, user: User, content: dict[str, object]) -> User:
    """Add the chat in whose name a message is written; return whom Telegram names as its user."""
    if sender is None:
        return user
    content["sender_chat"] = sender
    return GROUP_ANONYMOUS_BOT if sender.id == chat.id else CHANNEL_BOT


def _read_recording(path_or_bytes: Path | str | bytes) -> tuple[bytes, str | None]:
    if isinstance(path_or_bytes, bytes):
        return path_or_bytes, None
    path = Path(path_or_bytes)
    return path.read_bytes(), path.name
