"""`earshot run` as a real process, with all its children."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.cli.queue import read_queue
from bot.config.settings import Settings
from bot.playground.server import Playground


@asynccontextmanager
async def running(
    variables: dict[str, str], token: str = ""
) -> AsyncIterator[tuple[Playground, asyncio.subprocess.Process]]:
    """Start it behind a stand-in for Telegram."""
    playground = Playground()
    await playground.start()
    more = {
        "EARSHOT_TELEGRAM__TOKEN": token or playground.token,
        "EARSHOT_TELEGRAM__API_BASE": playground.url,
        "EARSHOT_ACCESS__OPEN": "true",
        "EARSHOT_WORKERS__COUNT": "1",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "run", env=os.environ | variables | more, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield playground, process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await playground.stop()


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def named(pid: int, word: str) -> bool:
    return word.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")


async def until(true: Callable[[], bool], within_s: float = 60.0) -> None:
    async with asyncio.timeout(within_s):
        while not true():  # noqa: ASYNC110 - what another process does rings no bell
            await asyncio.sleep(0.05)


@pytest.mark.slow  # tests/end_to_end/test_survival.py does the same to the bot and to the worker
async def test_it_survives_the_death_of_its_children_and_ends_gracefully(
    variables: dict[str, str], tone: Callable[[str, float], Path]
) -> None:
    async with running(variables) as (playground, process):
        ada = playground.user()
        chat = playground.private_chat(ada)
        playground.send_voice(chat, ada, tone("one.wav", 1.0))
        await playground.wait_for(lambda message: (message.text or "").startswith("fake 1.0s"), 60)
        children = children_of(process.pid)
        for pid in children:
            if named(pid, "bot") or named(pid, "worker"):
                os.kill(pid, signal.SIGKILL)
        playground.send_voice(chat, ada, tone("two.wav", 2.0))
        await playground.wait_for(lambda message: (message.text or "").startswith("fake 2.0s"), 60)
        everybody = {*children, *children_of(process.pid)}
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 60) == 0
        assert not any(map(lives, everybody))


async def test_its_worker_is_counted_and_nothing_is_left_when_it_is_killed(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    async with running(variables) as (playground, process):
        await until(lambda: any(request.method == "getUpdates" for request in playground.requests))
        async with asyncio.timeout(60):
            while (await read_queue(Settings()))["workers"] == 0:  # noqa: ASYNC110 - another process counts them
                await asyncio.sleep(0.1)
        ours = [pid for pid in children_of(process.pid) if named(pid, "-m")]
        assert len(ours) == 2
        process.kill()
        await until(lambda: not any(map(lives, ours)))


@pytest.mark.slow
async def test_a_wrong_token_ends_it_with_the_bots_sentence(variables: dict[str, str]) -> None:
    async with running(variables, token="43:wrong") as (_, process):  # noqa: S106 - a made-up one
        _, said = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    assert said.decode().splitlines()[-1].startswith("earshot: Telegram refuses the bot token.")
    assert "43:wrong" not in said.decode()
