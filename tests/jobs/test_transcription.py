"""What a worker does with one note, without a queue."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
from structlog.testing import capture_logs

from engine.audio.samples import Audio
from engine.errors import AudioUnreadable
from engine.request import Progress, Request
from engine.transcript import Transcript
from jobs import engine_threads
from jobs.delivery import Outcome
from jobs.transcription import transcribe_note
from jobs.worker_context import WorkerContext
from storage.note import Note, State
from storage.telegram.ledger import TelegramLedger
from tests.engine.sounds import write_silent_opus
from tests.jobs.conftest import Arrivals, until, work_on
from tests.jobs.doors import FileDoor
from tests.jobs.listening_engine import Listening
from tests.storage.samples import incoming, record

Working = asyncio.Task[Outcome | None]


async def test_a_note_is_fetched_transcribed_kept_and_told(
    context: WorkerContext, arrivals: Arrivals, door: FileDoor
) -> None:
    note = await arrivals.note(seconds=2.0)
    with capture_logs() as logs:
        ended = await work_on(context, note)
    assert ended.state is State.DONE
    assert ended.delivered_at is not None
    assert (ended.audio_s, ended.model) == (2.0, "fake")
    assert [event["text"] for event in door.events("done")] == [arrivals.texts[note.id]]
    assert [path.name for path in (arrivals.folder / "outbox").iterdir()] == [f"{note.id}.wav"]
    assert list(context.scratch.iterdir()) == []
    (line,) = [line for line in logs if line["event"] == "voice_note"]
    assert (line["job"], line["audio_s"], line["outcome"], line["delivery"]) == (note.id, 2.0, "done", "delivered")
    assert {"queue_s", "engine_s", "rtf"} <= line.keys()


async def test_a_fault_is_told_with_its_code(context: WorkerContext, arrivals: Arrivals, door: FileDoor) -> None:
    note = await arrivals.note()
    (arrivals.folder / "sound-0.wav").write_bytes(b"no sound at all" * 100)
    ended = await work_on(context, note)
    assert ended.error is not None
    assert (ended.state, ended.error.code) == (State.FAILED, AudioUnreadable.code)
    assert [event["code"] for event in door.events("failed")] == [AudioUnreadable.code]
    assert ended.delivered_at is not None


async def test_an_unknown_error_is_logged_and_told_as_internal(
    context_with: WorkerContext, engine: Listening, arrivals: Arrivals, door: FileDoor
) -> None:
    def fail(_: threading.Event) -> None:
        raise ZeroDivisionError

    engine.before = fail
    with capture_logs() as logs:
        ended = await work_on(context_with, await arrivals.note())
    assert ended.state is State.FAILED
    assert [event["code"] for event in door.events("failed")] == ["internal"]
    assert any(line["event"] == "internal" and line["exc_info"] for line in logs)


async def test_what_takes_longer_than_the_limit_fails(
    context_with: WorkerContext, engine: Listening, arrivals: Arrivals, door: FileDoor
) -> None:
    engine.before = lambda cancelled: cancelled.wait(30)
    await work_on(replace(context_with, timeout_s=0.5), await arrivals.note())
    assert [event["code"] for event in door.events("failed")] == ["timeout"]


async def test_a_stuck_engine_does_not_keep_the_failure_from_being_told(
    context_with: WorkerContext, engine: Listening, arrivals: Arrivals, door: FileDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    engine.before = lambda _: release.wait(30)
    monkeypatch.setattr(engine_threads, "STOP_S", 0.1)
    context = replace(context_with, timeout_s=1.0)
    ended = await work_on(context, await arrivals.note())
    release.set()
    assert context.threads.is_stuck
    assert ended.delivered_at is not None
    assert [event["code"] for event in door.events("failed")] == ["timeout"]


async def begun(context: WorkerContext, engine: Listening, arrivals: Arrivals) -> tuple[Note, Working]:
    """Begin a note over which the model sits until it is cancelled."""
    has_begun = threading.Event()

    def slow(cancelled: threading.Event) -> None:
        has_begun.set()
        cancelled.wait(30)

    engine.before = slow
    note = await arrivals.note()
    working = asyncio.create_task(transcribe_note(context, note.id))
    await until(has_begun.is_set)
    return note, working


@pytest.mark.parametrize("how", ["cancel", "delete"])
async def test_a_note_that_nobody_wants_any_more_is_dropped_quickly(  # noqa: PLR0913, PLR0917 - fixtures
    how: str, context_with: WorkerContext, engine: Listening, arrivals: Arrivals, ledger: TelegramLedger, door: FileDoor
) -> None:
    note, working = await begun(context_with, engine, arrivals)
    await (ledger.cancel(note.id) if how == "cancel" else ledger.delete(note.id))
    await asyncio.wait_for(working, 2)
    assert door.events("done") == []
    assert door.events("failed") == []


async def test_a_note_that_is_cancelled_while_it_is_decoded_is_dropped(
    context_with: WorkerContext, engine: Listening, ledger: TelegramLedger, door: FileDoor, tmp_path: Path
) -> None:
    path = write_silent_opus(tmp_path / "hours.ogg", 3 * 3600)
    note, _ = await record(ledger, incoming(file_id=str(path)))
    working = asyncio.create_task(transcribe_note(context_with, note.id))
    await until(engine.decoding.is_set)
    await ledger.cancel(note.id)
    await working
    assert not context_with.threads.is_stuck
    assert door.events("done") == []
    assert (await ledger.get(note.id) or note).audio_s is None


async def test_a_note_that_is_deleted_while_it_is_fetched_leaves_no_recording(
    context: WorkerContext, arrivals: Arrivals, ledger: TelegramLedger, door: FileDoor
) -> None:
    note = await arrivals.note()

    async def fetch_slowly(note: Note, folder: Path) -> Path:
        path = await FileDoor.fetch(door, note, folder)
        await ledger.delete(note.id)
        return path

    with mock.patch.object(door, "fetch", fetch_slowly):
        await transcribe_note(context, note.id)
    await context.artefacts.sweep()
    assert [*(arrivals.folder / "outbox").glob("*"), *(arrivals.folder / "artefacts").glob("2*")] == []
    assert door.events("done") == []


async def test_a_cancelled_note_keeps_saying_so_after_the_last_word_of_progress(
    context_with: WorkerContext, engine: Listening, arrivals: Arrivals, ledger: TelegramLedger, door: FileDoor
) -> None:
    note, working = await begun(context_with, engine, arrivals)
    await ledger.cancel(note.id)
    await ledger.mark_delivered(note.id)
    await asyncio.wait_for(working, 5)
    assert [event["code"] for event in door.events("failed")] == ["cancelled"]


async def test_progress_is_told_while_it_runs_and_never_after_the_answer(
    context_with: WorkerContext, engine: Listening, arrivals: Arrivals, door: FileDoor
) -> None:
    class Halfway(Listening):
        def transcribe(
            self, audio: Audio, request: Request, *, on_progress: Callable[[Progress], None], cancelled: threading.Event
        ) -> Transcript:
            on_progress(Progress(done_s=1, total_s=2, text=""))
            cancelled.wait(1.3)
            return self.inner.transcribe(audio, request, on_progress=on_progress, cancelled=cancelled)

    await work_on(replace(context_with, engine=Halfway(engine.inner)), await arrivals.note())
    assert [(event["what"], event.get("fraction")) for event in door.events()][1:] == [
        ("progress", 0.5),
        ("done", None),
    ]


async def test_trouble_with_progress_does_not_harm_the_note(
    context: WorkerContext, arrivals: Arrivals, ledger: TelegramLedger
) -> None:
    del ledger
    with mock.patch.object(FileDoor, "progress", side_effect=OSError):
        assert (await work_on(context, await arrivals.note())).state is State.DONE


async def test_a_note_that_is_over_is_left_alone(context: WorkerContext, arrivals: Arrivals, door: FileDoor) -> None:
    note = await work_on(context, await arrivals.note())
    await transcribe_note(context, note.id)
    await transcribe_note(context, "unknown")
    assert len(door.events("done")) == 1
