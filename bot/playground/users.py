"""The person's side: what people do in their chats, and the updates that the bot gets of it."""

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
from bot.playground.entities import find_entities
from bot.playground.state import Pressed, World, buttons_of
from bot.playground.stored_files import Kind

SUPERGROUP_BASE = -1_000_000_000_000


class People:
    """Acts as the people who write to the bot."""

    def __init__(self, world: World) -> None:
        """Act in `world`."""
        self.world = world

    @property
    def privacy_mode(self) -> bool:
        """Tell whether the bot is shown only what is meant for it, in groups."""
        return not self.world.bot.can_read_all_group_messages

    @privacy_mode.setter
    def privacy_mode(self, on: bool) -> None:
        self.world.bot = self.world.bot.model_copy(update={"can_read_all_group_messages": not on})

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
        """Make a person, or change one."""
        person = User(
            id=id, is_bot=False, first_name=first_name, last_name=last_name, username=username,
            language_code=language_code,
        )  # fmt: skip
        self.world.users[id] = person
        return person

    def private_chat(self, user: User) -> Chat:
        """Open the person's chat with the bot; START has been pressed in it."""
        known = self.world.conversations.get(user.id)
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
    ) -> Chat:
        """Make a group with the bot in it; an id from -1000000000001 down makes a supergroup."""
        kind = "supergroup" if id < SUPERGROUP_BASE else "group"
        chat = Chat(id=id, type=kind, title=title, is_forum=forum or None)
        conversation = self._open(chat, [*members, *administrators])
        conversation.administrators |= {leader.id for leader in administrators}
        if bot_is_administrator:
            conversation.administrators.add(self.world.bot.id)
        return chat

    def _open(self, chat: Chat, members: list[User]) -> Conversation:
        conversation = Conversation(chat, self.world.bot)
        conversation.members = {member.id: member for member in [self.world.bot, *members]}
        conversation.last_id = 0 if chat.type == "private" else 1  # a group's first message says that it was made
        self.world.conversations[chat.id] = conversation
        self.world.changed.ring()
        return conversation

    # Writing

    def send_text(
        self, chat: Chat, user: User, text: str, *, reply_to: Message | None = None, thread_id: int | None = None
    ) -> Message:
        """Write a text or a command."""
        content: dict[str, object] = {"text": text, "entities": find_entities(text, []) or None}
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
    ) -> Message:
        """Send a recording; `duration` and `mime` are what the sender claims, and need not be true."""
        sound, named = _read(path_or_bytes)
        stored = self.world.files.add(
            kind, sound, name=None if kind in {"voice", "video_note"} else file_name or named, mime=mime,
            duration=duration,
        )  # fmt: skip
        content: dict[str, object] = {kind: stored.medium()}
        if caption is not None:
            content |= {"caption": caption, "caption_entities": find_entities(caption, []) or None}
        if forwarded:
            content["forward_origin"] = self._origin()
        return self._send(chat, user, content, reply_to=reply_to, thread_id=thread_id)

    def forward(self, message: Message, chat: Chat, user: User, *, thread_id: int | None = None) -> Message:
        """Send a message on; a recording keeps its file_unique_id."""
        names = ("text", "entities", "voice", "audio", "video", "video_note", "document", "caption", "caption_entities")
        content = {name: getattr(message, name) for name in names}
        return self._send(chat, user, content | {"forward_origin": self._origin()}, reply_to=None, thread_id=thread_id)

    def _origin(self) -> MessageOriginHiddenUser:
        return MessageOriginHiddenUser.model_validate({"date": int(self.world.now()), "sender_user_name": "Grace"})

    def _send(
        self, chat: Chat, user: User, content: dict[str, object], *, reply_to: Message | None, thread_id: int | None
    ) -> Message:
        conversation = self.world.conversations[chat.id]
        if thread_id is not None and thread_id not in conversation.topics:
            raise ValueError(f"“{chat.title}” has no topic {thread_id}")
        conversation.members[user.id] = user
        now = self.world.now()
        message = conversation.post(user, now, content, thread_id=thread_id, reply_to=reply_to)
        if conversation.shut_out is None and self._is_shown(conversation, message):
            self.world.announce("message", message)
        self.world.changed.ring()
        return message

    def _is_shown(self, conversation: Conversation, message: Message) -> bool:
        """Tell whether privacy mode lets the bot see a message."""
        if conversation.is_private or not self.privacy_mode or self.world.bot.id in conversation.administrators:
            return True
        answered = message.reply_to_message
        if answered is not None and answered.from_user is not None and answered.from_user.id == self.world.bot.id:
            return True
        text = message.text or message.caption or ""
        name = f"@{self.world.bot.username}".lower()
        starts = text.startswith("/") and "@" not in text.split(maxsplit=1)[0]
        return starts or name in text.lower()

    # Buttons, and what becomes of messages

    def press(self, message: Message, callback_data: str, user: User) -> str:
        """Press a button that the message has now; gives the query's id."""
        conversation = self.world.conversations[message.chat.id]
        shown = conversation.messages.get(message.message_id)
        if shown is None or callback_data not in buttons_of(shown):
            raise ValueError(f"message {message.message_id} has no button “{callback_data}” now")
        query = CallbackQuery.model_validate({
            "id": str(next(self.world.query_numbers)),
            "from": user,
            "chat_instance": str(conversation.chat.id * 7919),
            "message": shown,
            "data": callback_data,
        })  # fmt: skip
        self.world.pressed[query.id] = Pressed(query, self.world.now())
        self.world.announce("callback_query", query)
        return query.id

    def edit(self, message: Message, text: str) -> Message:
        """Change one's own text."""
        conversation = self.world.conversations[message.chat.id]
        content: dict[str, object] = {"text": text, "entities": find_entities(text, []) or None}
        changed = conversation.change(message, self.world.now(), content)
        self.world.announce("edited_message", changed)
        self.world.changed.ring()
        return changed

    def delete(self, message: Message) -> None:
        """Delete a message for everybody; bots are not told."""
        conversation = self.world.conversations[message.chat.id]
        conversation.deleted_by_people.add(message.message_id)
        conversation.remove(message.message_id)
        self.world.changed.ring()

    # Letting the bot in and out

    def block(self, user: User) -> None:
        """Block the bot."""
        self._shut_out(self.world.conversations[user.id], user, "bot was blocked by the user")

    def remove_bot(self, chat: Chat, user: User) -> None:
        """Throw the bot out of a group."""
        self._shut_out(self.world.conversations[chat.id], user, f"bot was kicked from the {chat.type} chat")

    def _shut_out(self, conversation: Conversation, user: User, words: str) -> None:
        conversation.shut_out = words
        bot = self.world.bot
        before = ChatMemberMember(user=bot)
        now = int(self.world.now())
        after = ChatMemberBanned.model_validate({"user": bot, "until_date": 0})
        self._tell_membership(conversation, user, {"date": now, "old_chat_member": before, "new_chat_member": after})

    def unblock(self, user: User) -> None:
        """Let the bot write again."""
        self.let_in(self.world.conversations[user.id].chat, user)

    def let_in(self, chat: Chat, user: User) -> None:
        """Add the bot to a group again."""
        conversation = self.world.conversations[chat.id]
        conversation.shut_out = None
        bot = self.world.bot
        change = {
            "date": int(self.world.now()),
            "old_chat_member": ChatMemberLeft(user=bot),
            "new_chat_member": member_of(conversation, bot),
        }
        self._tell_membership(conversation, user, change)

    def _tell_membership(self, conversation: Conversation, user: User, change: dict[str, object]) -> None:
        event = ChatMemberUpdated.model_validate({"chat": conversation.chat, "from": user} | change)
        self.world.announce("my_chat_member", event)
        self.world.changed.ring()

    # Groups that change

    def topic(self, chat: Chat, user: User, name: str) -> int:
        """Open a forum topic; gives its thread id."""
        conversation = self.world.conversations[chat.id]
        content: dict[str, object] = {"forum_topic_created": {"name": name, "icon_color": 7322096}}
        created = conversation.post(user, self.world.now(), content, thread_id=None, reply_to=None)
        placed = {"message_thread_id": created.message_id, "is_topic_message": True}
        created = conversation.redecorate(created, placed)
        conversation.topics[created.message_id] = Topic(created.message_id, name, created)
        self.world.announce("message", created)
        self.world.changed.ring()
        return created.message_id

    def close_topic(self, chat: Chat, thread_id: int | None) -> None:
        """Close a topic, or the general one."""
        self._set_closed(chat, thread_id, closed=True)

    def reopen_topic(self, chat: Chat, thread_id: int | None) -> None:
        """Open a closed topic again."""
        self._set_closed(chat, thread_id, closed=False)

    def _set_closed(self, chat: Chat, thread_id: int | None, *, closed: bool) -> None:
        conversation = self.world.conversations[chat.id]
        if thread_id is None:
            conversation.general_closed = closed
        else:
            conversation.topics[thread_id].closed = closed
        self.world.changed.ring()

    def delete_topic(self, chat: Chat, thread_id: int) -> None:
        """Delete a topic with all that is in it."""
        conversation = self.world.conversations[chat.id]
        for message in conversation.in_thread(thread_id):
            self.delete(message)
        del conversation.topics[thread_id]
        conversation.deleted_topics.add(thread_id)

    def upgrade(self, chat: Chat, user: User) -> Chat:
        """Turn a group into a supergroup, which has another id and none of the old messages."""
        old = self.world.conversations[chat.id]
        new = self.group(SUPERGROUP_BASE + chat.id, chat.title or "", members=tuple(old.members.values()))
        self.world.conversations[new.id].administrators = set(old.administrators)
        self._send(chat, user, {"migrate_to_chat_id": new.id}, reply_to=None, thread_id=None)
        self._send(new, user, {"migrate_from_chat_id": chat.id}, reply_to=None, thread_id=None)
        old.upgraded_to = new.id
        return new

    # Looking

    def messages(self, chat: Chat) -> list[Message]:
        """Give the messages as the person sees them now."""
        return list(self.world.conversations[chat.id].messages.values())

    def versions(self, message: Message) -> list[Message]:
        """Give all that a message has been, the present version last; also when it is deleted."""
        return list(self.world.conversations[message.chat.id].versions[message.message_id])

    def content(self, message: Message) -> bytes:
        """Download the file that a message carries."""
        medium = message.voice or message.audio or message.video or message.video_note or message.document
        if medium is None:
            raise ValueError(f"message {message.message_id} carries no file")
        return self.world.files.by_id[medium.file_id].content

    def answers_to(self, query_id: str) -> list[str | None]:
        """Give what the bot said to a pressed button; empty while the button still spins."""
        return list(self.world.pressed[query_id].answers)


def _read(path_or_bytes: Path | str | bytes) -> tuple[bytes, str | None]:
    if isinstance(path_or_bytes, bytes):
        return path_or_bytes, None
    path = Path(path_or_bytes)
    return path.read_bytes(), path.name
