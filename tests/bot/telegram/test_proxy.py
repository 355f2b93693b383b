"""The way to Telegram through a proxy."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiogram.exceptions import TelegramNetworkError
from pydantic import SecretStr, ValidationError

from bot.config.settings import TelegramSettings
from bot.playground.server import Playground
from bot.telegram.client import make_bot
from bot.telegram.downloads import download_file
from bot.telegram.proxy import proxy_place, proxy_url
from bot.telegram.request_policy import total_timeout
from bot.telegram.token_check import TelegramUnavailable, fetch_bot
from tests.bot.conftest import sound
from tests.bot.proxy_server import PASSWORD, ProxyServer

VARIABLES = [name for pair in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY") for name in (pair, pair.lower())]


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def proxy() -> AsyncIterator[ProxyServer]:
    server = ProxyServer()
    await server.start()
    yield server
    await server.stop()


def through(url: str, playground: Playground) -> TelegramSettings:
    token = SecretStr("42:playground")
    return TelegramSettings(token=token, api_base=playground.url, proxy=SecretStr(url))


@pytest.mark.parametrize("scheme", ["http", "socks5", "socks5h", "socks4"])
async def test_messages_and_files_go_through_it(
    playground: Playground, proxy: ProxyServer, tmp_path: Path, scheme: str
) -> None:
    ada = playground.user(1)
    sent = playground.send_voice(playground.private_chat(ada), ada, sound(1))
    bot = make_bot(through(proxy.url(scheme), playground))
    try:
        await bot.send_message(1, "hi")
        assert sent.voice is not None
        assert (await download_file(bot, sent.voice.file_id, tmp_path, "note")).read_bytes() == sound(1)
    finally:
        await bot.session.close()
    assert set(proxy.targets) == {playground.url.removeprefix("http://")}


async def test_while_it_is_away_a_message_waits_for_it(playground: Playground, proxy: ProxyServer) -> None:
    playground.private_chat(playground.user(1))
    bot = make_bot(through(proxy.url("socks5"), playground))
    await proxy.stop()
    try:
        with total_timeout(0), pytest.raises(TelegramNetworkError):
            await bot.send_message(1, "hi")
        sending = asyncio.create_task(bot.send_message(1, "hi"))
        await asyncio.sleep(0.5)
        await proxy.start()
        await sending
    finally:
        await bot.session.close()
    assert [request.method for request in playground.requests] == ["sendMessage"]


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_wrong_password_is_told_without_showing_it(
    playground: Playground, proxy: ProxyServer, scheme: str
) -> None:
    with pytest.raises(TelegramUnavailable) as told:
        await fetch_bot(through(proxy.url(scheme, "ada:secret"), playground))
    assert proxy.refused > 0
    assert f"through the proxy {scheme}://127.0.0.1:" in str(told.value)
    assert "secret" not in str(told.value)


def test_the_environment_counts_where_the_settings_name_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert proxy_url(TelegramSettings()) is None
    monkeypatch.setenv("ALL_PROXY", "socks5h://any:1080")
    assert proxy_url(TelegramSettings()) == "socks5://any:1080"
    monkeypatch.setenv("HTTPS_PROXY", "secure.example.org:3128")
    assert proxy_url(TelegramSettings()) == "http://secure.example.org:3128"
    assert proxy_url(TelegramSettings(proxy=SecretStr("socks4://own:1"))) == "socks4://own:1"
    monkeypatch.setenv("NO_PROXY", ".telegram.org")
    assert proxy_url(TelegramSettings()) is None
    assert proxy_url(TelegramSettings(api_base="https://bot-api.example.org")) == "http://secure.example.org:3128"
    assert proxy_url(TelegramSettings(api_base="http://127.0.0.1:8081")) is None


def test_its_place_is_told_without_its_password() -> None:
    settings = TelegramSettings(proxy=SecretStr(f"socks5://ada:{PASSWORD}@[::1]:1080"))
    assert proxy_place(settings) == "socks5://[::1]:1080"
    assert PASSWORD not in repr(settings)


@pytest.mark.parametrize("wrong", ["ftp://host:1", "host:1", "socks5://host", "http://host:port"])
def test_what_is_no_proxy_is_refused_with_the_right_form(wrong: str) -> None:
    with pytest.raises(ValidationError, match="write scheme://host:port"):
        TelegramSettings(proxy=SecretStr(wrong))
