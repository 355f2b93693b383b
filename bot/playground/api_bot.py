"""Bot API methods: the bot itself, its commands, downloads, chat members."""

import re

from aiogram.methods import GetChatMember, GetFile, GetMe, SetMyCommands
from aiogram.types import (
    BotCommand,
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
from bot.playground.registry import handles
from bot.playground.state import ServerState

COMMAND = re.compile(r"[a-z0-9_]{1,32}")
LANGUAGE = re.compile(r"([a-z]{2})?")
MAX_COMMANDS = 100
MAX_COMMAND_DESCRIPTION = 256
RIGHTS = tuple(
    name
    for name, about in ChatMemberAdministrator.model_fields.items()
    if about.is_required() and about.annotation is bool
)


@handles(GetMe)
def get_me(state: ServerState, call: GetMe) -> User:  # noqa: ARG001 - every answer has this shape
    """Describe the bot (getMe)."""
    return state.bot


@handles(GetFile)
def get_file(state: ServerState, call: GetFile) -> File:
    """Make a download link for a file."""
    return state.files.link(call.file_id)


@handles(SetMyCommands)
def set_my_commands(state: ServerState, call: SetMyCommands) -> bool:
    """Set the list of commands of one scope and language."""
    if len(call.commands) > MAX_COMMANDS:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    for command in call.commands:
        _check_command(command)
    state.commands[_scope(state, call.scope), _language(call.language_code)] = call.commands
    state.changed.notify_all()
    return True


def _check_command(command: BotCommand) -> None:
    if not COMMAND.fullmatch(command.command.removeprefix("/")):
        raise bad_request("BOT_COMMAND_INVALID")
    if not 1 <= len(command.description.strip()) <= MAX_COMMAND_DESCRIPTION:
        raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")


def _scope(state: ServerState, scope: TelegramObject | None) -> str:
    chat_id = getattr(scope, "chat_id", None)
    if chat_id is not None:
        state.conversation(chat_id)
    parts = [getattr(scope, "type", "default"), chat_id, getattr(scope, "user_id", None)]
    return ":".join(str(part) for part in parts if part is not None)


def _language(code: str | None) -> str:
    if not LANGUAGE.fullmatch(code or ""):
        raise bad_request("invalid language code specified")
    return code or ""


@handles(GetChatMember)
def get_chat_member(state: ServerState, call: GetChatMember) -> TelegramObject:
    """Give the status of a user in a chat; only an administrator may ask about others where members are hidden."""
    conversation = state.conversation(call.chat_id)
    bot_id = conversation.bot.id
    if conversation.hides_members and call.user_id != bot_id and bot_id not in conversation.administrators:
        raise bad_request("member list is inaccessible", is_avoidable=False)
    user = state.users.get(call.user_id)
    if user is None:
        raise bad_request("member not found" if not conversation.is_private else "user not found")
    return member_of(conversation, user)


def member_of(conversation: Conversation, user: User) -> TelegramObject:
    """Give the membership of `user`; the first administrator of a group who is no bot is its owner."""
    administrators = [user_id for user_id in conversation.administrators if user_id != conversation.bot.id]
    if user.id in administrators[:1]:
        return ChatMemberOwner(user=user, is_anonymous=False)
    if user.id in conversation.administrators:
        return ChatMemberAdministrator.model_validate({"user": user} | dict.fromkeys(RIGHTS, True))
    if user.id in conversation.members:
        return ChatMemberMember(user=user)
    return ChatMemberLeft(user=user)
