"""The database cannot be written for a while: another program holds it, its disk is full, its server is restarted."""

import asyncio
import contextlib
import resource
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from storage.database import BUSY_TIMEOUT_S
from tests.end_to_end.installation import Installation, installed, running
from tests.end_to_end.outages import SLOW_FAKE, Talk, outlived
from tests.storage.postgres import postgres

pytestmark = pytest.mark.asyncio(loop_scope="module")

DELAYED = "Your recording cannot be taken in at the moment."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """Earshot at work with SQLite."""
    async with installed(tmp_path_factory.mktemp("place"), **SLOW_FAKE) as prepared, running(prepared) as at_work:
        yield at_work


async def test_notes_outlive_a_database_that_another_program_holds(place: Installation) -> None:
    async with outlived(place) as talk:
        with contextlib.closing(sqlite3.connect(place.folder / "earshot.db")) as other:
            other.execute("BEGIN IMMEDIATE")
            await _put_off(place, talk)
            await asyncio.sleep(BUSY_TIMEOUT_S)


async def test_notes_outlive_a_full_disk(place: Installation) -> None:
    async with outlived(place) as talk:
        with full_disk(place):
            await _put_off(place, talk)
            await asyncio.sleep(3)


async def _put_off(place: Installation, talk: Talk) -> None:
    """Send a note that cannot be written down; who sent it is told so, in the message that gets the text."""
    await place.status_of(talk.speak(), DELAYED)


@contextmanager
def full_disk(place: Installation) -> Iterator[None]:
    """Let no file of the bot and of the workers grow: SQLite cannot tell that from a disk without room."""
    children = place.children(" bot ")
    before = [resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in children]
    for pid in children:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        for pid, limits in zip(children, before, strict=True):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


async def test_notes_outlive_a_postgresql_that_is_restarted(tmp_path: Path) -> None:
    with postgres() as server:
        options = {**SLOW_FAKE, "database__url": server.url}
        async with installed(tmp_path, **options) as prepared, running(prepared) as place, outlived(place) as talk:
            await asyncio.to_thread(server.stop)
            await _put_off(place, talk)
            server.start()
