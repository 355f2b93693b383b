"""What is kept of notes in a folder, how it is named, and that what is deleted is gone from every host."""

import asyncio
import errno
import os
import re
import stat
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

import pytest
from sqlalchemy import select, update

from engine import render
from storage.artefacts.artefact import Retention, safe_extension
from storage.artefacts.folder import FolderStore
from storage.artefacts.rows import BATCH, CLAIM_S
from storage.artefacts.store import check_store
from storage.database import Database
from storage.errors import ArtefactsNotWritable
from storage.tables import artefacts
from storage.telegram.ledger import TelegramLedger
from tests.storage.artefacts.hosts import KEPT, SOUND, Host, host, rows
from tests.storage.conftest import Later
from tests.storage.samples import incoming, record, transcript

DAY_S = 86400


@pytest.fixture
def one(ledger: TelegramLedger, tmp_path: Path) -> Host:
    return host(ledger, tmp_path / "one")


@pytest.fixture
def other(ledger: TelegramLedger, tmp_path: Path) -> Host:
    return host(ledger, tmp_path / "other")


async def test_a_note_that_is_done_has_its_texts_beside_its_recording(one: Host, database: Database) -> None:
    note = await one.transcribe("hello")
    await one.artefacts.sweep()
    name = f"{datetime.now(UTC):%Y-%m-%d}_001_{note.id}"
    said = transcript("hello")
    texts = {f"{name}.{kind}": render(said, kind).encode() for kind in ("txt", "vtt")}
    assert one.files() == {f"{name}.ogg": SOUND, **texts}
    await one.artefacts.sweep()
    assert one.files("outbox") == {}
    async with database.reading() as connection:
        found = {row.kind: row for row in await connection.execute(select(artefacts))}
    assert (found["recording"].bytes, found["txt"].bytes) == (len(SOUND), len(texts[f"{name}.txt"]))
    assert {len(row.sha256) for row in found.values()} == {64}


async def test_nobody_else_can_read_what_is_kept(one: Host) -> None:
    await one.transcribe()
    await one.artefacts.sweep()
    folder = one.data_dir / "artefacts"
    modes = {path.name[-4:]: stat.S_IMODE(path.stat().st_mode) for path in folder.glob("2*")}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert modes == {".ogg": 0o600, ".txt": 0o600, ".vtt": 0o600}


async def test_a_recording_is_copied_into_a_folder_on_another_disk(one: Host) -> None:
    await one.transcribe()
    link = os.link

    def only_in_the_same_folder(source: Path, target: Path) -> None:
        if source.parent != target.parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        link(source, target)

    with mock.patch("storage.artefacts.folder.os.link", only_in_the_same_folder):
        await one.artefacts.sweep()
    recording = next((one.data_dir / "artefacts").glob("2*.ogg"))
    assert (recording.read_bytes(), stat.S_IMODE(recording.stat().st_mode)) == (SOUND, 0o600)


async def test_numbers_of_a_day_are_unique_however_many_hosts_count(one: Host, other: Host) -> None:
    await asyncio.gather(*(place.transcribe(is_recorded=False) for place in [one, other] * 6))
    await asyncio.gather(one.artefacts.sweep(), other.artefacts.sweep())
    files = [*one.files(), *other.files()]
    assert len(files) == 24
    numbers = sorted(name.split("_")[1] for name in files)
    assert numbers == sorted(2 * [f"{number:03}" for number in range(1, 13)])


async def test_a_note_that_is_transcribed_again_keeps_its_name_and_has_the_new_text(one: Host) -> None:
    note = await one.transcribe("first")
    await one.artefacts.sweep()
    before = one.files()
    await one.transcribe("in between")
    await one.ledger.mark_delivered(note.id)
    await one.transcribe("second", note=await one.ledger.retry(note.id, {}))
    await one.artefacts.sweep()
    after = {name: content for name, content in one.files().items() if note.id in name}
    assert after.keys() == before.keys()
    assert [content for name, content in after.items() if name.endswith(".txt")] == [b"second\n"]


async def test_what_is_kept_of_a_note_later_has_the_name_of_what_was_kept_before(one: Host) -> None:
    note = await one.transcribe(is_recorded=False)
    await one.transcribe()
    await one.ledger.mark_delivered(note.id)
    await one.transcribe(note=await one.ledger.retry(note.id, {}))
    await one.artefacts.sweep()
    assert {name.partition(".")[0] for name in one.files() if note.id in name} == {
        f"{datetime.now(UTC):%Y-%m-%d}_001_{note.id}"
    }
    assert len(one.files()) == 6


async def test_a_note_that_another_host_transcribes_again_has_no_files_in_two_places(one: Host, other: Host) -> None:
    note = await one.transcribe("first")
    await one.artefacts.sweep()
    await one.ledger.mark_delivered(note.id)
    await other.transcribe("second", note=await other.ledger.retry(note.id, {}))
    await other.artefacts.sweep()
    await one.artefacts.sweep()
    assert (other.files(), other.files("outbox")) == ({}, {})
    assert sorted(one.files().values()) == sorted([SOUND, b"second\n", render(transcript("second"), "vtt").encode()])


async def test_a_recording_that_is_yet_to_be_deleted_elsewhere_takes_no_place(one: Host, other: Host) -> None:
    notes = [await one.transcribe() for _ in range(KEPT - 1)]
    elsewhere = await other.transcribe()
    for place in (one, other):
        await place.artefacts.sweep()
    await one.ledger.delete(elsewhere.id)
    notes.append(await one.transcribe())
    for _ in range(2):
        await one.artefacts.sweep()
    kept = [name for name in one.files() if name.endswith(".ogg")]
    assert sorted(name.split("_")[2] for name in kept) == sorted(f"{note.id}.ogg" for note in notes)


async def test_what_is_deleted_is_gone_from_the_other_host_that_has_it(
    one: Host, other: Host, database: Database
) -> None:
    note = await one.transcribe()
    await one.artefacts.sweep()
    assert await other.ledger.delete(note.id)
    await other.artefacts.sweep()
    assert await rows(database) == {note.id: ["recording+", "txt+", "vtt+"]}
    await one.artefacts.sweep()
    assert one.files() == {}
    assert await rows(database) == {}


async def test_a_recording_whose_note_is_deleted_before_it_is_put_away_never_is(one: Host, database: Database) -> None:
    note = await one.transcribe()
    assert one.files("outbox") == {f"{note.id}.ogg": SOUND}
    await one.ledger.delete(note.id)
    await one.artefacts.sweep()
    assert (one.files("outbox"), one.files(), await rows(database)) == ({}, {}, {})


async def test_a_recording_stays_on_its_host_while_its_note_is_at_work(one: Host) -> None:
    note, _ = await record(one.ledger, incoming())
    await one.ledger.claim(note.id, "worker")
    await one.keep(note.id)
    await one.artefacts.sweep()
    assert one.files("outbox") == {f"{note.id}.ogg": SOUND}
    await one.ledger.cancel(note.id)
    await one.artefacts.sweep()
    assert one.files("outbox") == {}


async def test_what_is_deleted_while_it_is_being_put_away_is_deleted_afterwards(
    one: Host, other: Host, database: Database
) -> None:
    note = await one.transcribe(is_recorded=False)
    put = FolderStore.put

    async def slowly(store: FolderStore, key: str, content: bytes | Path) -> None:
        await one.ledger.delete(note.id)
        await other.artefacts.sweep()
        await put(store, key, content)

    with mock.patch.object(FolderStore, "put", slowly):
        await one.artefacts.sweep()
    await one.artefacts.sweep()
    assert (one.files(), await rows(database)) == ({}, {})


async def test_a_writer_that_comes_after_the_row_of_its_file_has_gone_deletes_it_itself(
    one: Host, tmp_path: Path, database: Database, later: Later
) -> None:
    note = await one.transcribe(is_recorded=False)
    beside = host(one.ledger, tmp_path / "one")
    put = FolderStore.put
    frozen = asyncio.Event()

    async def after_a_long_time(store: FolderStore, key: str, content: bytes | Path) -> None:
        await frozen.wait()
        await put(store, key, content)

    with mock.patch.object(FolderStore, "put", after_a_long_time):
        sweep = asyncio.create_task(one.artefacts.sweep())
        await asyncio.sleep(0.3)
        await one.ledger.delete(note.id)
        await later(CLAIM_S + 1)
        await beside.artefacts.sweep()
        assert await rows(database) == {}
        frozen.set()
        await sweep
    assert one.files() == {}


async def test_a_file_whose_writer_was_killed_before_it_said_so_is_still_known(
    one: Host, database: Database, later: Later
) -> None:
    note = await one.transcribe()
    with (
        mock.patch.object(TelegramLedger, "mark_stored", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        await one.artefacts.sweep()
    assert len(one.files()) == 1
    await one.ledger.delete(note.id)
    await one.artefacts.sweep()
    assert (len(one.files()), [*await rows(database)]) == (1, [note.id])  # it could still be on its way
    await later(CLAIM_S + 1)
    await one.artefacts.sweep()
    assert (one.files(), await rows(database)) == ({}, {})


async def test_what_a_killed_worker_had_in_hand_another_one_of_that_host_goes_on_with(
    one: Host, tmp_path: Path, later: Later
) -> None:
    await one.transcribe()
    with (
        mock.patch.object(TelegramLedger, "mark_stored", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        await one.artefacts.sweep()
    beside = host(one.ledger, tmp_path / "one")
    await beside.artefacts.sweep()
    assert len(one.files("outbox")) == 1
    await later(CLAIM_S + 1)
    await beside.artefacts.sweep()
    await beside.artefacts.sweep()
    assert (len(one.files()), one.files("outbox")) == (3, {})


async def test_only_the_newest_recordings_are_kept_of_all_hosts_together(one: Host, other: Host) -> None:
    notes = [await place.transcribe() for place in [one, other] * KEPT]
    for place in (one, other, one):
        await place.artefacts.sweep()
    kept = [name for name in [*one.files(), *other.files()] if name.endswith(".ogg")]
    assert sorted(name.split("_")[2] for name in kept) == sorted(f"{note.id}.ogg" for note in notes[-KEPT:])


async def test_without_recordings_none_is_kept_and_older_ones_go(one: Host, tmp_path: Path) -> None:
    await one.transcribe()
    await one.artefacts.sweep()
    none = host(one.ledger, tmp_path / "one", kept=0)
    await none.transcribe()
    await none.artefacts.sweep()
    assert none.files("outbox") == {}
    assert sorted(name[-4:] for name in none.files()) == [".txt", ".txt", ".vtt", ".vtt"]


async def test_texts_go_when_their_days_are_over(database: Database, tmp_path: Path, later: Later) -> None:
    ledger = TelegramLedger(database, Retention(formats=("srt",), keep_days=2))
    place = host(ledger, tmp_path / "one")
    await place.transcribe()
    await place.artefacts.sweep()
    await later(2 * DAY_S - 60)
    await place.artefacts.sweep()
    assert sorted(name[-4:] for name in place.files()) == [".ogg", ".srt"]
    await later(2 * DAY_S + 60)
    await place.artefacts.sweep()
    assert [name[-4:] for name in place.files()] == [".ogg"]


async def test_more_than_a_batch_is_swept_at_once(one: Host, database: Database) -> None:
    for _ in range(BATCH // 2 + 1):
        await one.transcribe(is_recorded=False)
    await one.artefacts.sweep()
    assert len(one.files()) == BATCH + 2
    async with database.writing() as connection:
        await connection.execute(update(artefacts).values(deleted_at=datetime.now(UTC)))
    await one.artefacts.sweep()
    assert one.files() == {}


async def test_a_sweep_without_work_asks_the_ledger_once(one: Host) -> None:
    await one.transcribe()
    await one.artefacts.sweep()
    await one.artefacts.sweep()
    with mock.patch.object(one.ledger, "_database", wraps=one.ledger._database) as asked:  # noqa: SLF001 - counts transactions
        await one.artefacts.sweep()
    assert [call[0] for call in asked.method_calls] == ["reading"]


async def test_a_folder_that_cannot_be_written_is_told_and_what_is_missing_follows(one: Host) -> None:
    await one.transcribe()
    store = FolderStore(one.data_dir / "artefacts")
    await check_store(store)
    with mock.patch("storage.artefacts.folder.os.open", side_effect=OSError(28, "No space left on device")):
        with pytest.raises(ArtefactsNotWritable, match="No space left on device"):
            await check_store(store)
        with pytest.raises(ArtefactsNotWritable):
            await one.artefacts.sweep()
    assert [name for name in one.files() if not name.endswith(".ogg")] == []
    await due_now(one)
    await one.artefacts.sweep()
    assert len(one.files()) == 3


async def due_now(place: Host) -> None:
    """Let the pauses after failures be over."""
    async with place.ledger._database.writing() as connection:  # noqa: SLF001 - instead of waiting
        await connection.execute(update(artefacts).values(next_at=datetime(2026, 1, 1, tzinfo=UTC)))


async def test_what_an_older_version_kept_is_taken_over(one: Host, database: Database) -> None:
    note, _ = await record(one.ledger, incoming())
    await one.ledger.cancel(note.id)
    old = one.data_dir / "recordings"
    old.mkdir()
    key = f"2026-05-01_1017_{note.id}.ogg"
    (old / key).write_bytes(SOUND)
    (old / "2026-05-01_002_DELETED.ogg").write_bytes(SOUND)
    moments = dict.fromkeys(("created_at", "next_at"), datetime(2026, 5, 1, tzinfo=UTC))
    row = {"note_id": note.id, "kind": "recording", "key": key, "store": "", "attempts": 0, **moments}
    async with database.writing() as connection:
        await connection.execute(artefacts.insert().values(row))
    await one.artefacts.take_over_old_recordings()
    await one.artefacts.sweep()
    await one.artefacts.sweep()
    assert one.files() == {key: SOUND}
    assert (one.files("outbox"), old.exists()) == ({}, False)


async def test_files_in_the_old_folder_go_when_a_bucket_is_set(one: Host, tmp_path: Path) -> None:
    note = await one.transcribe()
    await one.artefacts.sweep()
    moved = host(one.ledger, tmp_path / "one", f"file://{tmp_path}/elsewhere")
    newer = await moved.transcribe()
    await moved.ledger.delete(note.id)
    await moved.artefacts.sweep()
    assert moved.files() == {}
    assert {re.split(r"[_.]", path.name)[2] for path in (tmp_path / "elsewhere").glob("2*")} == {newer.id}


def test_the_extension_of_a_recording_is_safe_and_never_that_of_a_text() -> None:
    given: Sequence[str] = (".OGG", ".txt", "", ".p/../q", ".vtt", ".longerthanthat")
    assert [safe_extension(suffix) for suffix in given] == ["ogg", "bin", "bin", "pq", "bin", "longerth"]
