"""The store in a bucket of a real S3-compatible server, on good days and bad ones."""

import asyncio
import os
import subprocess
import sys
from itertools import count
from pathlib import Path
from time import monotonic
from unittest import mock

import pytest
from obstore import get_async
from obstore.store import S3Store

from engine import Fault
from storage.artefacts import artefacts as service, bucket
from storage.artefacts.bucket import BucketStore
from storage.artefacts.bucket_url import read_bucket_url
from storage.artefacts.store import check_store
from storage.database import Database
from storage.errors import ArtefactsRefused, ArtefactsUnreachable, BucketMissing
from storage.telegram.ledger import TelegramLedger
from tests.storage.artefacts.hosts import SOUND, Host, host, rows
from tests.storage.artefacts.rough_proxy import RoughProxy, rough_proxy
from tests.storage.artefacts.s3_server import BUCKET, KEY, SECRET, S3Server
from tests.storage.artefacts.test_artefacts import due_now

MIB = 1 << 20
_numbers = count()


class Bucket:
    """A part of the bucket, read without the program that is tested."""

    def __init__(self, server: S3Server) -> None:
        self.server = server
        self.prefix = f"test-{next(_numbers)}"
        self._store = S3Store(
            BUCKET,
            prefix=self.prefix,
            endpoint=f"http://127.0.0.1:{server.port}",
            access_key_id=KEY,
            secret_access_key=SECRET,
            client_options={"allow_http": True},
        )

    def url(self, **changed: object) -> str:
        return self.server.url(prefix=self.prefix, **changed)  # type: ignore[arg-type]

    def names(self) -> list[str]:
        return sorted(found["path"] for found in self._store.list().collect())

    async def read(self, key: str) -> bytes:
        return bytes(await (await get_async(self._store, key)).bytes_async())


@pytest.fixture
def there(s3: S3Server) -> Bucket:
    return Bucket(s3)


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    return sqlite_database


@pytest.fixture
def one(there: Bucket, ledger: TelegramLedger, tmp_path: Path) -> Host:
    return host(ledger, tmp_path / "one", there.url())


async def test_hosts_share_a_bucket_and_either_deletes_what_is_deleted(
    one: Host, there: Bucket, ledger: TelegramLedger, database: Database, tmp_path: Path
) -> None:
    other = host(ledger, tmp_path / "other", there.url())
    note = await one.transcribe("hello")
    await other.artefacts.sweep()  # writes the texts; the recording is only here
    await one.artefacts.sweep()
    assert [name[-4:] for name in there.names()] == [".ogg", ".txt", ".vtt"]
    assert await there.read(there.names()[0]) == SOUND
    assert await there.read(there.names()[1]) == b"hello\n"
    await one.artefacts.sweep()
    assert (one.files(), one.files("outbox")) == ({}, {})
    assert await other.artefacts.recording(note.id, len(SOUND)) == (there.names()[0], SOUND)
    assert await other.artefacts.recording(note.id, len(SOUND) - 1) is None
    await ledger.delete(note.id)
    await other.artefacts.sweep()
    assert (there.names(), await rows(database)) == ([], {})


async def test_a_recording_of_many_parts_comes_whole(there: Bucket, tmp_path: Path) -> None:
    store = BucketStore(read_bucket_url(there.url()))
    large = os.urandom(12 * MIB + 5)
    (tmp_path / "large").write_bytes(large)
    await store.put("large.ogg", tmp_path / "large")
    assert await there.read("large.ogg") == large
    assert (await store.get("large.ogg"), await store.get("never-there.txt")) == (large, None)
    await store.delete(["large.ogg", "never-there.txt"])
    assert there.names() == []


@pytest.mark.parametrize(
    ("changed", "fault", "told"),
    [
        ({"key": "stranger"}, ArtefactsRefused, "InvalidAccessKeyId"),
        ({"bucket": "nowhere"}, BucketMissing, "Create it"),
        ({"port": 1}, ArtefactsUnreachable, "error sending request"),
    ],
)
async def test_a_store_that_cannot_be_used_is_told_with_the_remedy_and_what_is_missing_follows(
    changed: dict[str, object], fault: type[Fault], told: str, there: Bucket, one: Host
) -> None:
    wrong = host(one.ledger, one.data_dir, there.url(**changed))
    await wrong.transcribe()
    store = BucketStore(read_bucket_url(there.url(**changed)))
    with pytest.raises(fault, match=told) as raised:
        await check_store(store)
    assert SECRET not in str(raised.value)
    with pytest.raises(fault, match=told):
        await wrong.artefacts.sweep()
    assert len(wrong.files("outbox")) == 1
    await due_now(wrong)
    await check_store(BucketStore(read_bucket_url(there.url())))
    await one.artefacts.sweep()
    assert [name[-4:] for name in there.names()] == [".ogg", ".txt", ".vtt"]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lose patience sooner than in earnest."""
    monkeypatch.setattr(service, "TEXT_LIMIT_S", 1.0)
    monkeypatch.setattr(service, "RECORDING_LIMIT_S", 2.0)


async def rough(there: Bucket, ledger: TelegramLedger, data_dir: Path, proxy: RoughProxy) -> Host:
    return host(ledger, data_dir, there.url(port=proxy.port))


@pytest.mark.usefixtures("hasty")
async def test_over_a_frozen_line_a_sweep_ends_and_everything_follows_once_it_moves(
    there: Bucket, ledger: TelegramLedger, tmp_path: Path
) -> None:
    async with rough_proxy(there.server.port) as proxy:
        place = await rough(there, ledger, tmp_path / "one", proxy)
        for _ in range(50):
            await place.transcribe(is_recorded=False)
        proxy.pause_s = 3600
        began = monotonic()
        with pytest.raises(ArtefactsUnreachable, match="no answer within 1 s"):
            await place.artefacts.sweep()
        assert monotonic() - began < 10  # and not a second for each
        for one in proxy.open:
            one.transport.abort()
        proxy.pause_s = 0
        await due_now(place)
        await place.artefacts.sweep()
    assert len(there.names()) == 100


async def test_over_a_slow_line_everything_comes_whole(there: Bucket, ledger: TelegramLedger, tmp_path: Path) -> None:
    async with rough_proxy(there.server.port) as proxy:
        proxy.pause_s = 0.2
        place = await rough(there, ledger, tmp_path / "one", proxy)
        await place.transcribe()
        await place.artefacts.sweep()
    assert len(there.names()) == 3


async def test_a_line_that_is_cut_in_the_midst_leaves_no_half_file(
    there: Bucket, ledger: TelegramLedger, tmp_path: Path
) -> None:
    async with rough_proxy(there.server.port) as proxy:
        place = await rough(there, ledger, tmp_path / "one", proxy)
        sound = os.urandom(2 * MIB)
        with mock.patch("tests.storage.artefacts.hosts.SOUND", sound):
            await place.transcribe()
        proxy.cut_after = MIB
        with pytest.raises(ArtefactsUnreachable):
            await place.artefacts.sweep()
        assert [name[-4:] for name in there.names()] == [".txt", ".vtt"]
        assert proxy.connections > bucket.RETRIES
        proxy.cut_after = None
        await due_now(place)
        await place.artefacts.sweep()
    assert await there.read(there.names()[0]) == sound


async def test_what_cannot_be_deleted_now_is_deleted_later(
    there: Bucket, ledger: TelegramLedger, database: Database, tmp_path: Path
) -> None:
    async with rough_proxy(there.server.port) as proxy:
        place = await rough(there, ledger, tmp_path / "one", proxy)
        note = await place.transcribe()
        await place.artefacts.sweep()
        await ledger.delete(note.id)
        proxy.cut_after = 0
        with pytest.raises(ArtefactsUnreachable):
            await place.artefacts.sweep()
        assert await rows(database) == {note.id: ["recording+", "txt+", "vtt+"]}
        proxy.cut_after = None
        await place.artefacts.sweep()
    assert (there.names(), await rows(database)) == ([], {})


async def test_a_worker_that_stops_lets_go_of_what_is_on_its_way(
    there: Bucket, ledger: TelegramLedger, tmp_path: Path
) -> None:
    async with rough_proxy(there.server.port) as proxy:
        place = await rough(there, ledger, tmp_path / "one", proxy)
        await place.transcribe()
        proxy.pause_s = 3600
        sweep = asyncio.create_task(place.artefacts.sweep())
        while not proxy.connections:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)
        sweep.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sweep
    await due_now(place)
    other = host(ledger, tmp_path / "one", there.url())
    await other.artefacts.sweep()
    assert len(there.names()) == 3


def test_the_library_is_loaded_and_its_threads_run_only_where_a_bucket_is_used() -> None:
    seen = "import sys, os; print('obstore' in sys.modules, len(os.listdir('/proc/self/task')))"
    made = (
        "from storage.artefacts.store import open_stores; open_stores('s3://bucket', __import__('pathlib').Path('.'))"
    )
    done = subprocess.run([sys.executable, "-c", f"{made}; {seen}"], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "1"]
