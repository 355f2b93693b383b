"""Redis servers as providers run them: with users, with TLS, with a replica and sentinels that replace a dead one."""

import asyncio
import signal
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from jobs.redis_server import find_server
from tests.certificates import Certificates
from tests.parent_death import end_with_parent

USER, PASSWORD = "app", "p@ss/w:rd%"
LOGIN = "app:p%40ss%2Fw%3Ard%25"
SENTINEL_PASSWORD = "of the sentinels"  # noqa: S105 - of the test's own server
SERVICE = "earshot-queue"
SENTINELS = 2
USERS = f"""
user default off
user replica on >copy +psync +replconf +ping
user watcher on >watch allchannels +multi +slaveof +ping +exec +subscribe +config|rewrite +role +publish +info +client
user {USER} on >{PASSWORD} ~earshot:* ~arq:job:earshot:* ~arq:retry:earshot:* +@all -@admin -@dangerous
user reader on >read ~* &* +@read +@connection
user stranger on >other ~other:* &* +@all
masteruser replica
masterauth copy
"""


def free_port() -> int:
    """Return a port that nobody listens on."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def redis_process(folder: Path, port: int, settings: str, *flags: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server with these settings inside the block."""
    folder.mkdir(parents=True)
    file = folder / "redis.conf"
    file.write_text(f'bind 127.0.0.1\nport {port}\ndir {folder}\nsave ""\nlogfile {folder}/log\n{settings}\n')
    with subprocess.Popen(
        [find_server(), file, *flags],
        preexec_fn=end_with_parent,  # noqa: PLW1509 - one system call, which takes no lock
    ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.kill()


async def until_it_answers(port: int, username: str | None, password: str) -> None:
    """Wait until the server on this port answers."""
    with Redis(port=port, username=username, password=password) as client:
        for _ in range(200):
            with suppress(RedisError):
                client.ping()
                return
            await asyncio.sleep(0.05)
    raise AssertionError("Redis did not come up")


@asynccontextmanager
async def tls_in_front_of(port: int, certificates: Certificates) -> AsyncIterator[int]:
    """Listen by TLS and pass everything on: the server that comes as a wheel was built without it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.certificate, certificates.key)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pass_on(reader, inner_writer), _pass_on(inner_reader, writer))

    async with await asyncio.start_server(serve, "localhost", 0, ssl=context, family=socket.AF_INET) as server:
        yield int(server.sockets[0].getsockname()[1])


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(1 << 16):
            writer.write(chunk)
            await writer.drain()
    writer.close()


class Watched:
    """Two servers, of which the second copies the first, and sentinels that put it in the place of the first."""

    def __init__(self, ports: Sequence[int], first: subprocess.Popen[bytes]) -> None:
        """The sentinels listen on `ports`."""
        self.first = first
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        self.bare_url = f"redis+sentinel://{LOGIN}@{hosts}/{SERVICE}/0"
        self.url = f"{self.bare_url}?sentinel_password={SENTINEL_PASSWORD.replace(' ', '%20')}"


@asynccontextmanager
async def watched_servers(folder: Path) -> AsyncIterator[Watched]:
    """Run them inside the block."""
    first, second, *ports = (free_port() for _ in range(2 + SENTINELS))
    with ExitStack() as stack:
        process = stack.enter_context(redis_process(folder / "first", first, USERS))
        await until_it_answers(first, USER, PASSWORD)
        copy = f"{USERS}\nreplicaof 127.0.0.1 {first}\nrepl-diskless-sync-delay 0"
        stack.enter_context(redis_process(folder / "second", second, copy))
        await until_it_answers(second, USER, PASSWORD)
        for number, port in enumerate(ports):
            stack.enter_context(redis_process(folder / f"sentinel-{number}", port, _watching(first), "--sentinel"))
        for port in ports:
            await until_it_answers(port, None, SENTINEL_PASSWORD)
            await _until_it_knows_the_others(port)
        yield Watched(ports, process)


def _watching(port: int) -> str:
    return f"""
requirepass "{SENTINEL_PASSWORD}"
sentinel sentinel-pass "{SENTINEL_PASSWORD}"
sentinel monitor {SERVICE} 127.0.0.1 {port} {SENTINELS}
sentinel auth-user {SERVICE} watcher
sentinel auth-pass {SERVICE} watch
sentinel down-after-milliseconds {SERVICE} 500
sentinel failover-timeout {SERVICE} 3000
"""


async def _until_it_knows_the_others(port: int) -> None:
    with Redis(port=port, password=SENTINEL_PASSWORD, decode_responses=True) as client:
        for _ in range(600):  # they look at the servers every ten seconds
            state = client.sentinel_master(SERVICE)
            if state["num-other-sentinels"] == SENTINELS - 1 and state["num-slaves"] == 1:
                return
            await asyncio.sleep(0.1)
    raise AssertionError("the sentinels did not find each other")
