"""The supervisor with real child processes, and with the real parts behind `earshot run`."""

import asyncio
import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.config.settings import PROJECT, Settings
from bot.demo import demo
from bot.process import child as children_module
from bot.process.bot import FINISH_S
from bot.process.child import CannotStart, Child
from bot.process.supervisor import (
    BOT_STOPS_WITHIN_S,
    EXTRA_STOP_S,
    keep_redis_running,
    longest_stop_s,
    make_children,
    supervise,
)
from bot.telegram.updates import CONFIRM_S
from jobs.redis_server import STOP_S as REDIS_STOP_S, RedisServer

NOTES = """
import os, pathlib, signal, sys, time
def note(word): pathlib.Path(sys.argv[1]).open("a").write(f"{sys.argv[2]} {word}\\n")
signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.2), note("ended"), os._exit(0)))
note("began")
time.sleep(60)
"""


@pytest.fixture
def diary(tmp_path: Path) -> Path:
    return tmp_path / "diary"


def made(name: str, diary: Path, script: str = NOTES) -> Child:
    return Child(name, ["-c", script, str(diary), name], os.environ)


def lines(diary: Path) -> list[str]:
    return diary.read_text().splitlines() if diary.exists() else []


async def until(true: Callable[[], bool], within_s: float = 20.0) -> None:
    async with asyncio.timeout(within_s):
        while not true():  # noqa: ASYNC110 - what another process writes rings no bell
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_bot_first_and_then_the_workers(diary: Path, number: signal.Signals) -> None:
    workers = [made("worker-1", diary), made("worker-2", diary)]
    running = asyncio.create_task(supervise(made("bot", diary), workers, grace_s=20))
    await until(lambda: len(lines(diary)) == 3)
    os.kill(os.getpid(), number)
    await asyncio.wait_for(running, 30)
    assert lines(diary)[3] == "bot ended"
    assert sorted(lines(diary)[4:]) == ["worker-1 ended", "worker-2 ended"]


async def test_one_that_cannot_start_ends_all_with_its_sentence(diary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children_module, "FIRST_PAUSE_S", 0.3)
    bot = made("bot", diary, "import sys; sys.exit('earshot: Telegram refuses the bot token.')")
    with pytest.raises(CannotStart, match="refuses the bot token"):
        await asyncio.wait_for(supervise(bot, [made("worker-1", diary)], grace_s=20), 30)
    assert lines(diary) == ["worker-1 began", "worker-1 ended"]


async def test_whatever_ends_the_keeping_of_one_ends_all_and_is_not_swallowed(
    diary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = made("bot", diary)

    async def fail() -> None:
        await until(lambda: len(lines(diary)) == 1)
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr(bot, "keep_running", fail)
    with pytest.raises(RuntimeError, match="nobody foresaw this"):
        await asyncio.wait_for(supervise(bot, [made("worker-1", diary)], grace_s=20), 30)
    assert lines(diary) == ["worker-1 began", "worker-1 ended"]


async def test_an_impatient_second_signal_ends_all_by_force(diary: Path) -> None:
    deaf = NOTES.replace("os._exit(0)", "None")
    running = asyncio.create_task(supervise(made("bot", diary, deaf), [made("worker-1", diary, deaf)], grace_s=60))
    await until(lambda: len(lines(diary)) == 2)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(0.1)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(running, 10)


def test_workers_share_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.process.supervisor.cores", lambda: 8)
    monkeypatch.setattr("bot.process.supervisor.memory_gib", lambda: 16.0)
    monkeypatch.setenv("EARSHOT_ENGINE__MODEL", "paraformer")
    _, workers = make_children(Settings(), {})
    assert len(workers) == 4
    assert {worker.environment["EARSHOT_ENGINE__THREADS"] for worker in workers} == {"2"}


def test_one_worker_has_all_cores_where_its_model_reads_on_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.process.supervisor.cores", lambda: 8)
    _, (worker,) = make_children(Settings(), {})
    assert worker.environment["EARSHOT_ENGINE__THREADS"] == "8"


def test_settings_decide_before_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARSHOT_WORKERS__COUNT", "3")
    monkeypatch.setenv("EARSHOT_ENGINE__THREADS", "5")
    _, workers = make_children(Settings(), {})
    assert [worker.name for worker in workers] == ["worker-1", "worker-2", "worker-3"]
    assert workers[0].environment["EARSHOT_ENGINE__THREADS"] == "5"


async def test_a_redis_that_dies_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.process.supervisor.REDIS_PAUSE_S", 0.05)
    server = RedisServer(tmp_path)
    await server.start()
    keeping = asyncio.create_task(keep_redis_running(server))
    try:
        assert server.process is not None
        first = server.process.pid
        server.process.kill()
        await until(lambda: server.process is not None and server.process.pid != first)
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await server.stop()


async def test_a_redis_that_the_system_cannot_start_now_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.process.supervisor.REDIS_PAUSE_S", 0.05)
    server, tries = RedisServer(tmp_path), 0

    async def refuse() -> None:
        nonlocal tries
        tries += 1
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(server, "start", refuse)
    keeping = asyncio.create_task(keep_redis_running(server))
    await until(lambda: tries == 2 or keeping.done())
    assert not keeping.done()
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


def test_each_is_given_more_time_to_stop_than_it_takes() -> None:
    assert BOT_STOPS_WITHIN_S > FINISH_S + CONFIRM_S
    grace_s = Settings().workers.grace_s
    parts_s = BOT_STOPS_WITHIN_S + grace_s + EXTRA_STOP_S + REDIS_STOP_S
    assert longest_stop_s(grace_s) >= parts_s
    assert parts_s < demo.STOP_S
    unit = (PROJECT / "systemd/earshot.service").read_text()
    assert parts_s < int(unit.partition("TimeoutStopSec=")[2].partition("\n")[0])
