"""The bot as a process: how it starts, what it holds, how it ends."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiogram.types import Message
from aiohttp import ClientSession
from pydantic import SecretStr

from bot.config.settings import Settings, TelegramSettings
from bot.playground.server import Playground
from bot.process.bot import run_bot
from bot.telegram.errors import TokenRefused, WebhookRefused, WebhookUnsafe
from tests.bot.conftest import open_house, sound

PROGRAM = """
import asyncio, json, sys
from bot.process.bot import run_bot
from bot.config.settings import Settings
asyncio.run(run_bot(Settings()))
print(json.dumps(sorted(name.partition(".")[0] for name in sys.modules)))
"""


@asynccontextmanager
async def bot_process(playground: Playground, data_dir: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the bot as a program of its own."""
    surroundings = {
        **os.environ,
        "EARSHOT_CONFIG": str(data_dir / "none.toml"),
        "EARSHOT_DATA_DIR": str(data_dir),
        "EARSHOT_TELEGRAM__TOKEN": playground.token,
        "EARSHOT_TELEGRAM__API_BASE": playground.url,
        "EARSHOT_ACCESS__OPEN": "true",
        "EARSHOT_ENGINE__MODEL": "fake",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, env=surroundings, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.slow  # tests/end_to_end/test_survival.py kills the bot of a whole installation
async def test_a_killed_bot_loses_no_note_and_the_next_one_ends_in_peace(
    playground: Playground, tmp_path: Path
) -> None:
    ada = playground.user(1)
    chat = playground.private_chat(ada)
    async with bot_process(playground, tmp_path) as process:
        playground.send_text(chat, ada, "/start")
        await playground.wait_for(lambda message: "Hello!" in (message.text or ""), 30)
        playground.send_voice(chat, ada, sound(1))
        process.kill()
        await process.wait()
    async with bot_process(playground, tmp_path) as process:
        playground.send_voice(chat, ada, sound(2))
        await playground.wait_for(lambda message: answers(message, 3), 30)
        await playground.wait_for(lambda message: answers(message, 4), 30)
        process.send_signal(signal.SIGTERM)
        out, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0, err.decode()
    modules = json.loads(out.decode().splitlines()[-1])
    assert "aiogram" in modules
    assert not {"torch", "funasr", "whisper", "av"} & set(modules), "the bot holds no speech model"
    assert playground.token not in out.decode() + err.decode()


def answers(message: Message, note_id: int) -> bool:
    """Tell whether a message is the status reply of a note."""
    replied_to = message.reply_to_message
    return replied_to is not None and replied_to.message_id == note_id and "In the queue" in (message.text or "")


async def test_a_command_that_was_obeyed_before_a_restart_is_not_obeyed_again(
    playground: Playground, settings: Settings
) -> None:
    for command, words in (("/start", "Hello!"), ("/help", "/history")):
        async with open_house(settings, playground) as house:
            house.say(command)
            await house.hear(words)
    assert len([text for text in house.texts(house.chat()) if "Hello!" in text]) == 1


async def test_a_token_that_telegram_does_not_know_is_a_fault(playground: Playground, settings: Settings) -> None:
    telegram = TelegramSettings(token=SecretStr("43:other"), api_base=playground.url)
    with pytest.raises(TokenRefused):
        await run_bot(settings.model_copy(update={"telegram": telegram}))
    playground.violations.clear()  # asking with a wrong token is the point


@pytest.mark.parametrize(
    "wrong",
    [{"webhook_url": ""}, {"webhook_secret": ""}, {"webhook_url": "http://x.test/h"}, {"webhook_url": "x.test/h"}],
)
async def test_a_webhook_that_nobody_or_anybody_could_call_is_refused(
    settings: Settings, wrong: dict[str, str]
) -> None:
    told = {"token": "42:x", "mode": "webhook", "webhook_url": "https://x.test/h", "webhook_secret": "s"} | wrong
    with pytest.raises(WebhookUnsafe):
        await run_bot(settings.model_copy(update={"telegram": TelegramSettings.model_validate(told)}))


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
async def test_webhook_mode_answers_notes_and_turns_forged_updates_away(
    playground: Playground, settings: Settings, host: str
) -> None:
    if not can_listen(host.strip("[]")):
        pytest.skip(f"this machine has no {host}")
    port = free_port()
    url = f"http://{host}:{port}/hook"
    telegram = TelegramSettings(
        token=SecretStr(playground.token),
        mode="webhook",
        webhook_url=url,
        webhook_listen=f"{host}:{port}",
        webhook_secret=SecretStr("handshake"),
    )
    async with open_house(settings.model_copy(update={"telegram": telegram}), playground) as house:
        await house.start_worker()
        playground.send_malformed_update()
        await house.answered(house.speak(1))
        async with ClientSession() as anybody, anybody.post(url, json={"update_id": 5}) as response:
            assert response.status == 401
        known = {"X-Telegram-Bot-Api-Secret-Token": "handshake"}
        without_path = url.removesuffix("/hook")
        async with ClientSession(headers=known) as proxy, proxy.post(without_path, json={"update_id": 6}) as response:
            assert response.status == 200, "a proxy in between may strip the path"


async def test_a_webhook_that_telegram_refuses_is_a_fault(playground: Playground, settings: Settings) -> None:
    telegram = TelegramSettings(
        token=SecretStr(playground.token),
        api_base=playground.url,
        mode="webhook",
        webhook_url="http://127.0.0.1:1/",
        webhook_secret=SecretStr("s"),
    )
    words = "Bad Request: bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443"
    playground.fail_next("setWebhook", code=400, description=words)
    with pytest.raises(WebhookRefused, match="only on ports 80, 88, 443 or 8443"):
        await run_bot(settings.model_copy(update={"telegram": telegram}))


def can_listen(host: str) -> bool:
    """Tell whether this machine has an address."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Give a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
