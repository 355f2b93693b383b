"""A group adds the bot: says hello, and what keeps it from hearing voice notes there."""

from aiogram import Bot, Router
from aiogram.enums import ChatMemberStatus, ChatType
from aiogram.types import ChatMemberUpdated

from bot.chat.access import Access
from bot.chat.texts import translate

_GROUPS = (ChatType.GROUP, ChatType.SUPERGROUP)
_OUTSIDE = (ChatMemberStatus.LEFT, ChatMemberStatus.KICKED)
_INSIDE = (ChatMemberStatus.MEMBER, ChatMemberStatus.ADMINISTRATOR)


def router() -> Router:
    """Return the router of changes of the bot's own membership."""
    own = Router(name="added")
    own.my_chat_member.register(greet, has_joined)
    return own


def has_joined(event: ChatMemberUpdated) -> bool:
    """Tell whether the bot was added to a group."""
    before, after = event.old_chat_member.status, event.new_chat_member.status
    return event.chat.type in _GROUPS and before in _OUTSIDE and after in _INSIDE


async def greet(event: ChatMemberUpdated, bot: Bot, access: Access) -> None:
    """Say hello."""
    me = await bot.get_me()
    hears_all = me.can_read_all_group_messages or event.new_chat_member.status == ChatMemberStatus.ADMINISTRATOR
    lines = [translate("Hello! Send a voice note here, and I answer with its text.")]
    if not hears_all:
        lines.append(hidden_text(str(me.username)))
    if not access.allows_chat(event.chat.id):
        lines.append(
            translate(
                "So far I answer only those whom my owner listed. For all members, this ID belongs in access.chats: "
                "{chat_id}",
                chat_id=event.chat.id,
            )
        )
    await bot.send_message(event.chat.id, "\n\n".join(lines))


def hidden_text(username: str) -> str:
    """Return what privacy mode hides, and how to change that."""
    return translate(
        "Telegram's privacy mode hides voice notes from me here. Make me an admin of this group; or send /setprivacy "
        "to @BotFather, turn it off, and add me to the group anew. Until then, reply to a voice note with @{username}.",
        username=username,
    )
