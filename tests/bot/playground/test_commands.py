import pytest
from aiogram import Bot
from aiogram.types import (
    BotCommand,
    BotCommandScopeAllPrivateChats,
    BotCommandScopeChat,
    Chat,
)

from bot.playground.server import Playground
from tests.bot.playground.expected_errors import refused

START = BotCommand(command="start", description="What I do")
HELP = BotCommand(command="help", description="All commands")


async def test_each_scope_and_language_has_its_own_list(playground: Playground, bot: Bot, chat: Chat) -> None:
    await bot.set_my_commands([START])
    await bot.set_my_commands([HELP], BotCommandScopeAllPrivateChats())
    await bot.set_my_commands([HELP, START], BotCommandScopeChat(chat_id=chat.id))
    await bot.set_my_commands([], BotCommandScopeAllPrivateChats(), language_code="ru")
    lists = {key: [one.command for one in commands] for key, commands in playground.state.commands.items()}
    assert lists == {
        ("default", ""): ["start"],
        ("all_private_chats", ""): ["help"],
        (f"chat:{chat.id}", ""): ["help", "start"],
        ("all_private_chats", "ru"): [],
    }


@pytest.mark.parametrize(
    ("command", "description", "words"),
    [
        ("Start", "x", "BOT_COMMAND_INVALID"),
        ("a-b", "x", "BOT_COMMAND_INVALID"),
        ("", "x", "BOT_COMMAND_INVALID"),
        ("x" * 33, "x", "BOT_COMMAND_INVALID"),
        ("x", " ", "BOT_COMMAND_DESCRIPTION_INVALID"),
        ("x", "x" * 257, "BOT_COMMAND_DESCRIPTION_INVALID"),
    ],
)
async def test_commands_that_telegram_refuses(
    playground: Playground, bot: Bot, command: str, description: str, words: str
) -> None:
    with refused(f"Bad Request: {words}"):
        await bot.set_my_commands([BotCommand(command=command, description=description)])
    assert len(playground.violations) == 1


async def test_a_hundred_commands_are_enough(bot: Bot) -> None:
    commands = [BotCommand(command=f"c{number}", description="x") for number in range(101)]
    await bot.set_my_commands(commands[:100])
    with refused("Bad Request: BOT_COMMANDS_TOO_MUCH"):
        await bot.set_my_commands(commands)


async def test_scopes_and_languages_must_exist(bot: Bot) -> None:
    with refused("Bad Request: chat not found"):
        await bot.set_my_commands([START], BotCommandScopeChat(chat_id=404))
    with refused("Bad Request: invalid language code specified"):
        await bot.set_my_commands([START], language_code="english")
