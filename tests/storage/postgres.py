"""A PostgreSQL of the tests' own, where there is one on this machine."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from tests.certificates import Certificates
from tests.parent_death import end_with_parent

DISK, MEMORY = Path("/", "tmp"), Path("/dev", "shm")
MUCH_MEMORY = 8 * 2**30
GUARDED = "guarded"  # the user of whom the server demands a password


@dataclass
class Postgres:
    """A server with its data in `folder`, which also holds its socket; `process` is None where another one runs it."""

    folder: str
    user: str | None
    process: subprocess.Popen[bytes] | None
    flags: Sequence[str] = ()

    @property
    def url(self) -> str:
        """Give its address."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """Give the address of one of its databases."""
        return f"postgresql://earshot@/{database}?host={self.folder}"

    async def execute(self, statement: str, database: str = "postgres") -> None:
        """Run a statement over a connection of its own."""
        url = self.url_of(database).replace("postgresql:", "postgresql+asyncpg:")
        engine = create_async_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            await connection.exec_driver_sql(statement)

    def stop(self) -> None:
        """Break every connection and end."""
        self.end(signal.SIGINT)

    def end(self, number: signal.Signals) -> None:
        """Send it a signal that ends it, and wait for that."""
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait()

    def start(self) -> None:
        """Start it again."""
        self.process = _started(self.folder, self.user, self.flags)


@contextmanager
def postgres(certificates: Certificates | None = None, port: int = 0) -> Iterator[Postgres]:
    """Run a new, empty PostgreSQL inside the block; with certificates it also listens on `port`, by TLS only."""
    initdb = _find("initdb")
    if initdb is None or _find("postgres") is None:
        pytest.skip("no PostgreSQL on this machine")
    user = "nobody" if os.geteuid() == 0 else None  # it refuses to run as root
    with tempfile.TemporaryDirectory(prefix="earshot-pg-", dir=MEMORY if _has_much_memory() else DISK) as folder:
        shutil.chown(folder, user=user or os.geteuid())
        command = [initdb, "-D", f"{folder}/db", "-U", "earshot", "-A", "trust", "-E", "UTF8", "--no-sync"]
        if (made := subprocess.run(command, user=user, capture_output=True, check=False, cwd="/")).returncode != 0:
            pytest.skip(f"PostgreSQL does not run here: {made.stderr.decode()}")
        rules = Path(folder, "db", "pg_hba.conf")
        rules.write_text(f"local all {GUARDED} scram-sha-256\nhostssl all {GUARDED} all scram-sha-256\n")
        with rules.open("a") as file:
            file.write("hostnossl all all all reject\nlocal all all trust\n")
        flags = _tls_flags(folder, user, certificates, port) if certificates else ["-c", "listen_addresses="]
        server = Postgres(folder, user, _started(folder, user, flags), flags)
        try:
            yield server
        finally:
            server.end(signal.SIGQUIT)  # at once: nobody needs what it would write to the disk first


def _has_much_memory() -> bool:
    """Tell whether files may lie in memory: each new database is three hundred of them."""
    return MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MUCH_MEMORY


def _find(program: str) -> str | None:
    """Look on the PATH, and where Debian keeps the server's programs, which it does not put there."""
    debian = ":".join(map(str, Path("/usr/lib/postgresql").glob("*/bin")))
    return shutil.which(program) or shutil.which(program, path=debian)


def _tls_flags(folder: str, user: str | None, certificates: Certificates, port: int) -> list[str]:
    files = [shutil.copy(path, folder) for path in (certificates.certificate, certificates.key)]
    for file in files:
        shutil.chown(file, user=user or os.geteuid())
        Path(file).chmod(0o600)
    certificate, key = files
    tls = [
        f"ssl_cert_file={certificate}",
        f"ssl_key_file={key}",
        "ssl=on",
        "listen_addresses=localhost",
        f"port={port}",
    ]
    return [word for option in tls for word in ("-c", option)]


def _started(folder: str, user: str | None, flags: Sequence[str]) -> subprocess.Popen[bytes]:
    words = ["-D", f"{folder}/db", "-k", folder, "-F", *flags]
    silence = subprocess.DEVNULL
    return subprocess.Popen(
        [str(_find("postgres")), *words],
        user=user,
        stdout=silence,
        stderr=silence,
        cwd="/",
        preexec_fn=end_with_parent,  # noqa: PLW1509 - one system call, which takes no lock
    )
