"""`earshot queue` and `earshot history` over a ledger with notes in it."""

import asyncio
import json
from pathlib import Path

import pytest

from engine.transcript import Segment, Transcript
from storage.database import open_database
from storage.note import Failure
from storage.telegram.ledger import TelegramLedger
from storage.telegram.message import IncomingMessage
from tests.bot.cli.conftest import Earshot
from tests.storage.samples import record

SECRET = "42:do-not-print-me"  # noqa: S105 - a made-up one


def incoming(chat: int, message: int) -> IncomingMessage:
    return IncomingMessage(
        bot_id=42, chat_id=chat, message_id=message, thread_id=None, user_id=7, kind="voice", file_id=f"file-{message}",
        file_unique_id=f"unique-{message}", claimed_s=3.0, claimed_bytes=None, file_name=None, locale="en",
    )  # fmt: skip


async def fill(data_dir: Path) -> None:
    """One note done, one failed, one queued in another chat."""
    database = await open_database("", data_dir)
    ledger = TelegramLedger(database)
    done, _ = await record(ledger, incoming(1, 10))
    failed, _ = await record(ledger, incoming(1, 11))
    await record(ledger, incoming(2, 12))
    said = Segment(start=0.0, end=3.0, text="Ever tried. Ever failed.")
    transcript = Transcript(language="en", duration=3.0, segments=(said,), model="fake")
    claimed = await ledger.claim(done.id, "worker-1")
    assert claimed is not None
    await ledger.finish(done.id, claimed.fence, transcript, engine_s=0.3, digest="d1")
    claimed = await ledger.claim(failed.id, "worker-1")
    assert claimed is not None
    await ledger.fail(failed.id, claimed.fence, Failure(code="no_audio_track", params={}))
    await database.close()


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    asyncio.run(fill(tmp_path / "data"))
    return tmp_path / "data"


def test_the_queue_is_counted_also_while_nothing_runs(earshot: Earshot, filled: Path) -> None:
    done = earshot("queue", "--json", EARSHOT_TELEGRAM__TOKEN=SECRET)
    assert done.returncode == 0
    report = json.loads(done.stdout)
    expected = {"queued": 1, "processing": 0, "failed": 1, "workers": 0, "workers_busy": 0}
    assert expected.items() <= report.items()
    assert SECRET not in done.stdout + done.stderr
    assert "1 queued, 0 processing, 1 failed\n0 workers, 0 busy\n" in earshot("queue").stdout
    assert filled.exists()


def test_a_redis_that_is_set_and_away_is_an_error(earshot: Earshot, filled: Path) -> None:
    done = earshot("queue", "--json", EARSHOT_REDIS__URL=f"unix://{filled}/nobody.sock")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("earshot: The queue cannot be reached")


def test_history_gives_every_note_with_its_text_or_its_error(earshot: Earshot, filled: Path) -> None:
    notes = json.loads(earshot("history", "--json").stdout)
    assert [(note["chat"], note["message"], note["state"]) for note in notes] == [
        (2, 12, "queued"),
        (1, 11, "failed"),
        (1, 10, "done"),
    ]
    assert (notes[2]["text"], notes[2]["audio_s"], notes[2]["error"]) == ("Ever tried. Ever failed.", 3.0, None)
    assert (notes[1]["text"], notes[1]["error"]) == (None, "This file has no sound track. Send one that has.")
    assert all(note["id"] and note["received_at"].endswith("+00:00") for note in notes)
    assert filled.exists()


def test_history_can_be_of_one_chat_and_short(earshot: Earshot, filled: Path) -> None:
    assert [note["message"] for note in json.loads(earshot("history", "--json", "--chat", 1).stdout)] == [11, 10]
    assert [note["message"] for note in json.loads(earshot("history", "--json", "--limit", 1).stdout)] == [12]
    lines = earshot("history", "--chat", 1).stdout.splitlines()
    assert [line.split()[3] for line in lines] == ["failed", "done"]
    assert lines[1].endswith("Ever tried. Ever failed.")
    assert filled.exists()


def test_an_empty_history_is_no_error(earshot: Earshot) -> None:
    done = earshot("history", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, [])
