import asyncio
import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from storage.database import Database, open_database
from storage.errors import DatabaseUnreachable
from storage.ledger import Ledger


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await open_database("", tmp_path)
    yield database
    await database.close()


@pytest.fixture
async def postgres_database(postgres_url: str, tmp_path: Path) -> AsyncIterator[Database]:
    database = await _opened(postgres_url, tmp_path)
    yield database
    await database.close()


@pytest.fixture
def ledger(database: Database) -> Ledger:
    return Ledger(database)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    binary, initdb = shutil.which("postgres"), shutil.which("initdb")
    if binary is None or initdb is None:
        pytest.skip("no PostgreSQL on this machine")
    user = "nobody" if os.geteuid() == 0 else None  # it refuses to run as root
    with tempfile.TemporaryDirectory(prefix="earshot-pg-", dir="/tmp") as folder:
        shutil.chown(folder, user=user or os.geteuid())
        command = [initdb, "-D", f"{folder}/db", "-U", "earshot", "-A", "trust", "-E", "UTF8", "--no-sync"]
        if (made := subprocess.run(command, user=user, capture_output=True, check=False, cwd="/")).returncode != 0:
            pytest.skip(f"PostgreSQL does not run here: {made.stderr.decode()}")
        flags = ["-D", f"{folder}/db", "-k", folder, "-c", "listen_addresses=", "-F"]
        silence = subprocess.DEVNULL
        server = subprocess.Popen([binary, *flags], user=user, stdout=silence, stderr=silence, cwd="/")
        yield f"postgresql://earshot@/postgres?host={folder}"
        server.terminate()
        server.wait()


async def _opened(url: str, data_dir: Path) -> Database:
    for _ in range(100):
        with contextlib.suppress(DatabaseUnreachable):
            return await open_database(url, data_dir)
        await asyncio.sleep(0.1)
    raise AssertionError("PostgreSQL did not come up")
