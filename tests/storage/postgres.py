"""A PostgreSQL of the tests' own, where there is one on this machine."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

GUARDED = "guarded"  # the user of whom the server demands a password


@dataclass
class Postgres:
    """A server with its data in `folder`, which also holds its socket."""

    folder: str
    user: str | None
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Give its address."""
        return f"postgresql://earshot@/postgres?host={self.folder}"

    def stop(self) -> None:
        """Break every connection and end."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait()

    def start(self) -> None:
        """Start it again."""
        self.process = _started(self.folder, self.user)


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Run a new, empty PostgreSQL inside the block."""
    initdb = _find("initdb")
    if initdb is None or _find("postgres") is None:
        pytest.skip("no PostgreSQL on this machine")
    user = "nobody" if os.geteuid() == 0 else None  # it refuses to run as root
    with tempfile.TemporaryDirectory(prefix="earshot-pg-", dir="/tmp") as folder:
        shutil.chown(folder, user=user or os.geteuid())
        command = [initdb, "-D", f"{folder}/db", "-U", "earshot", "-A", "trust", "-E", "UTF8", "--no-sync"]
        if (made := subprocess.run(command, user=user, capture_output=True, check=False, cwd="/")).returncode != 0:
            pytest.skip(f"PostgreSQL does not run here: {made.stderr.decode()}")
        rules = Path(folder, "db", "pg_hba.conf")
        rules.write_text(f"local all {GUARDED} scram-sha-256\n{rules.read_text()}")
        server = Postgres(folder, user, _started(folder, user))
        try:
            yield server
        finally:
            server.stop()


def _find(program: str) -> str | None:
    """Look on the PATH, and where Debian keeps the server's programs, which it does not put there."""
    debian = ":".join(map(str, Path("/usr/lib/postgresql").glob("*/bin")))
    return shutil.which(program) or shutil.which(program, path=debian)


def _started(folder: str, user: str | None) -> subprocess.Popen[bytes]:
    flags = ["-D", f"{folder}/db", "-k", folder, "-c", "listen_addresses=", "-F"]
    silence = subprocess.DEVNULL
    return subprocess.Popen([str(_find("postgres")), *flags], user=user, stdout=silence, stderr=silence, cwd="/")
