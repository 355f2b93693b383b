"""Methods about the bot itself, its files, its commands and the chats that it is in."""

import re

from aiogram.methods import (
    Close,
    DeleteMyCommands,
    GetChat,
    GetChatAdministrators,
    GetChatMember,
    GetChatMemberCount,
    GetFile,
    GetMe,
    GetMyCommands,
    GetMyDescription,
    GetMyName,
    GetMyShortDescription,
    LogOut,
    SetMyCommands,
    SetMyDescription,
    SetMyName,
    SetMyShortDescription,
)
from aiogram.types import (
    AcceptedGiftTypes,
    BotCommand,
    BotDescription,
    BotName,
    BotShortDescription,
    ChatFullInfo,
    ChatMemberAdministrator,
    ChatMemberLeft,
    ChatMemberMember,
    ChatMemberOwner,
    File,
    TelegramObject,
    User,
)

from bot.playground.api_errors import bad_request
from bot.playground.chats import Conversation
from bot.playground.registry import answers
from bot.playground.state import World

COMMAND = re.compile(r"[a-z0-9_]{1,32}")
LANGUAGE = re.compile(r"([a-z]{2})?")
MAX_COMMANDS = 100
MAX_COMMAND_DESCRIPTION = 256
MAX_WORDING = {"description": 512, "short_description": 120, "name": 64}
RIGHTS = tuple(
    name
    for name, about in ChatMemberAdministrator.model_fields.items()
    if about.is_required() and about.annotation is bool
)


@answers(GetMe)
def get_me(world: World, call: GetMe) -> User:  # noqa: ARG001 - every answer has this shape
    """Say who the bot is."""
    return world.bot


@answers(LogOut)
def log_out(world: World, call: LogOut) -> bool:  # noqa: ARG001 - every answer has this shape
    """Accept; there is no other server to move to."""
    return True


@answers(Close)
def close(world: World, call: Close) -> bool:  # noqa: ARG001 - every answer has this shape
    """Accept; there is no other server to move to."""
    return True


@answers(GetFile)
def get_file(world: World, call: GetFile) -> File:
    """Give a link to a file."""
    return world.files.link(call.file_id)


@answers(SetMyCommands)
def set_my_commands(world: World, call: SetMyCommands) -> bool:
    """Set the list of commands of one scope and language."""
    if len(call.commands) > MAX_COMMANDS:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    for command in call.commands:
        _check_command(command)
    world.commands[_scope(world, call.scope), _language(call.language_code)] = call.commands
    world.changed.ring()
    return True


def _check_command(command: BotCommand) -> None:
    if not COMMAND.fullmatch(command.command.removeprefix("/")):
        raise bad_request("BOT_COMMAND_INVALID")
    if not 1 <= len(command.description.strip()) <= MAX_COMMAND_DESCRIPTION:
        raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")


@answers(GetMyCommands)
def get_my_commands(world: World, call: GetMyCommands) -> list[BotCommand]:
    """Give the list of exactly this scope and language."""
    return world.commands.get((_scope(world, call.scope), _language(call.language_code)), [])


@answers(DeleteMyCommands)
def delete_my_commands(world: World, call: DeleteMyCommands) -> bool:
    """Forget the list of this scope and language."""
    world.commands.pop((_scope(world, call.scope), _language(call.language_code)), None)
    world.changed.ring()
    return True


def _scope(world: World, scope: TelegramObject | None) -> str:
    chat_id = getattr(scope, "chat_id", None)
    if chat_id is not None:
        world.conversation(chat_id)
    parts = [getattr(scope, "type", "default"), chat_id, getattr(scope, "user_id", None)]
    return ":".join(str(part) for part in parts if part is not None)


def _language(code: str | None) -> str:
    if not LANGUAGE.fullmatch(code or ""):
        raise bad_request("invalid language code specified")
    return code or ""


def _set_wording(world: World, kind: str, text: str | None, language: str | None) -> bool:
    if len(text or "") > MAX_WORDING[kind]:
        raise bad_request(f"bot {kind.replace('_', ' ')} is too long")
    world.wording[kind, _language(language)] = text or ""
    return True


def _wording(world: World, kind: str, language: str | None) -> str:
    return world.wording.get((kind, _language(language)), "") or world.wording.get((kind, ""), "")


@answers(SetMyDescription)
def set_my_description(world: World, call: SetMyDescription) -> bool:
    """Set what an empty chat shows."""
    return _set_wording(world, "description", call.description, call.language_code)


@answers(GetMyDescription)
def get_my_description(world: World, call: GetMyDescription) -> BotDescription:
    """Give what an empty chat shows."""
    return BotDescription(description=_wording(world, "description", call.language_code))


@answers(SetMyShortDescription)
def set_my_short_description(world: World, call: SetMyShortDescription) -> bool:
    """Set what the bot's profile shows."""
    return _set_wording(world, "short_description", call.short_description, call.language_code)


@answers(GetMyShortDescription)
def get_my_short_description(world: World, call: GetMyShortDescription) -> BotShortDescription:
    """Give what the bot's profile shows."""
    return BotShortDescription(short_description=_wording(world, "short_description", call.language_code))


@answers(SetMyName)
def set_my_name(world: World, call: SetMyName) -> bool:
    """Set the bot's name in one language."""
    return _set_wording(world, "name", call.name, call.language_code)


@answers(GetMyName)
def get_my_name(world: World, call: GetMyName) -> BotName:
    """Give the bot's name."""
    return BotName(name=_wording(world, "name", call.language_code) or world.bot.first_name)


@answers(GetChat)
def get_chat(world: World, call: GetChat) -> ChatFullInfo:
    """Describe a chat."""
    chat = world.conversation(call.chat_id).chat
    gifts = AcceptedGiftTypes.model_validate(
        {name: False for name, about in AcceptedGiftTypes.model_fields.items() if about.is_required()}
    )
    extra = {"accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": gifts}
    return ChatFullInfo.model_validate(chat.model_dump(exclude_none=True) | extra)


@answers(GetChatMember)
def get_chat_member(world: World, call: GetChatMember) -> TelegramObject:
    """Say what somebody is in a chat."""
    conversation = world.conversation(call.chat_id)
    user = world.users.get(call.user_id)
    if user is None:
        raise bad_request("member not found" if not conversation.is_private else "user not found")
    return member_of(conversation, user)


@answers(GetChatAdministrators)
def get_chat_administrators(world: World, call: GetChatAdministrators) -> list[TelegramObject]:
    """List who leads a group."""
    conversation = world.conversation(call.chat_id)
    if conversation.is_private:
        raise bad_request("there are no administrators in the private chat")
    leaders = [world.users[user_id] for user_id in sorted(conversation.administrators)]
    return [member_of(conversation, leader) for leader in leaders]


@answers(GetChatMemberCount)
def get_chat_member_count(world: World, call: GetChatMemberCount) -> int:
    """Count everybody, the bot too."""
    return len(world.conversation(call.chat_id).members)


def member_of(conversation: Conversation, user: User) -> TelegramObject:
    """Tell what `user` is in the chat; the first administrator of a group is its owner."""
    people = [leader for leader in conversation.administrators if leader != conversation.bot.id]
    if user.id in people[:1]:
        return ChatMemberOwner(user=user, is_anonymous=False)
    if user.id in conversation.administrators:
        return ChatMemberAdministrator.model_validate({"user": user} | dict.fromkeys(RIGHTS, True))
    if user.id in conversation.members:
        return ChatMemberMember(user=user)
    return ChatMemberLeft(user=user)
