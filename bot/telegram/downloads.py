"""Downloads a file from Telegram (getFile): size-capped, with retries, under a name of our own."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import aiohttp
import structlog
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.exceptions import TelegramBadRequest
from aiogram.types import File

from bot.telegram.errors import FileGone, FileTooBig
from bot.telegram.proxy import PROXY_ERRORS

CLOUD_LIMIT_MB = 20
SERVER_LIMIT_MB = 2000  # what a Bot API server of one's own gives
MB = 1024 * 1024
LOCAL_REMEDY = "the Bot API server is in local mode: let the workers read its folder, under the same path"
_CHUNK = 64 * 1024
_TRIES = 5
# Refusals of getFile that no waiting changes, as the Bot API server words them (`telegram-bot-api/Client.cpp`). Others
# pass, such as "wrong file_id or the file is temporarily unavailable".
_NEVER = ("invalid file_id", "wrong remote file identifier")
FIRST_PAUSE_S = 0.25
_TIMEOUT = aiohttp.ClientTimeout(total=1800, sock_connect=10, sock_read=30)
_EXTENSION = re.compile(r"\.[a-z0-9]{1,5}")


log = structlog.get_logger(__name__)


class _LinkExpired(Exception):
    """The link from getFile is no longer valid (404)."""


class DownloadUnavailable(Exception):
    """The file could not be downloaded after several tries; a later one may succeed."""


async def download_file(bot: Bot, file_id: str, folder: Path, name: str) -> Path:
    """Download the file into `folder` as `name` plus Telegram's extension, and return its path.

    Raises:
        FileTooBig, FileGone: It can never be downloaded.
        DownloadUnavailable: Not now.
    """
    for attempt in range(_TRIES):
        file = await _get_file(bot, file_id)
        target = folder / f"{name}{_extension(file)}"
        try:
            await _transfer(bot, str(file.file_path), target)
        except _LinkExpired:
            continue
        except (aiohttp.ClientError, TimeoutError, ConnectionError, *PROXY_ERRORS):
            await asyncio.sleep(FIRST_PAUSE_S * 2**attempt)
            continue
        return target
    raise DownloadUnavailable


async def _get_file(bot: Bot, file_id: str) -> File:
    try:
        file = await bot.get_file(file_id)
    except TelegramBadRequest as refusal:
        if "too big" in refusal.message:
            raise FileTooBig(limit_mb=CLOUD_LIMIT_MB) from None
        if any(words in refusal.message for words in _NEVER):
            raise FileGone from None
        raise DownloadUnavailable from refusal
    if not file.file_path:
        raise DownloadUnavailable
    return file


async def _transfer(bot: Bot, file_path: str, target: Path) -> None:
    """Copy or download the file: a Bot API server in local mode gives an absolute path on this machine."""
    if file_path.startswith("/"):
        await asyncio.to_thread(_copy_from_disk, Path(file_path), target)
    else:
        await _download(bot, file_path, target)


def _copy_from_disk(source: Path, target: Path) -> None:
    try:
        if source.stat().st_size > SERVER_LIMIT_MB * MB:
            raise FileTooBig(limit_mb=SERVER_LIMIT_MB)
        shutil.copyfile(source, target)
    except OSError as error:
        log.error("local_file_unreadable", path=str(source), error=str(error), remedy=LOCAL_REMEDY)  # noqa: TRY400 - the owner needs the path, and no traceback
        raise DownloadUnavailable from error


async def _download(bot: Bot, file_path: str, target: Path) -> None:
    left = SERVER_LIMIT_MB * MB
    async with _stream(bot, file_path) as response:
        with target.open("wb") as copy:
            async for chunk in response.content.iter_chunked(_CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise FileTooBig(limit_mb=SERVER_LIMIT_MB)
                copy.write(chunk)


@asynccontextmanager
async def _stream(bot: Bot, file_path: str) -> AsyncIterator[aiohttp.ClientResponse]:
    """Open the HTTP response. The URL holds the token, so errors must not quote it."""
    url = bot.session.api.file_url(bot.token, file_path)
    session = await cast("AiohttpSession", bot.session).create_session()  # it knows the proxy
    async with session.get(url, timeout=_TIMEOUT) as response:
        if response.status == 404:  # noqa: PLR2004 - HTTP's own number
            raise _LinkExpired
        if response.status != 200:  # noqa: PLR2004 - HTTP's own number
            raise ConnectionError(f"HTTP {response.status}")
        yield response


def _extension(file: File) -> str:
    suffix = Path(str(file.file_path)).suffix.lower()
    return suffix if _EXTENSION.fullmatch(suffix) else ".bin"
