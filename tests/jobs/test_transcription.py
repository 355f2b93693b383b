"""What a worker does with one note, without a queue."""

import asyncio
import contextlib
import errno
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from unittest import mock

import pytest
from structlog.testing import capture_logs

from engine.audio.samples import Audio
from engine.errors import AudioUnreadable
from engine.request import Progress, Request
from engine.transcript import Transcript
from jobs import backoff, engine_threads, transcription
from jobs.door import RetryLater
from jobs.engine_threads import EngineThreads
from jobs.speech_engine import SpeechEngine
from jobs.transcription import transcribe_note
from jobs.worker_context import WorkerContext
from storage import clock, states
from storage.clock import now
from storage.errors import DatabaseBusy
from storage.ledger import Ledger
from storage.note import Note, State
from tests.engine.sounds import write_silent_opus
from tests.jobs.conftest import Arrivals, renew, until, work_on
from tests.jobs.doors import FileDoor
from tests.storage.samples import incoming

Working = asyncio.Task[Note | None]


@dataclass
class Listening:
    """An engine that does what a test tells it, around the fake one."""

    inner: SpeechEngine
    before: Callable[[threading.Event], object] = lambda _: None
    requests: tuple[Request, ...] = ()
    decoding: threading.Event = field(default_factory=threading.Event)
    model: str = "fake"
    notes_at_once: int = 1
    is_stuck: bool = False
    is_blocked: bool = False

    def running_s(self, cancelled: threading.Event) -> float | None:
        return self.inner.running_s(cancelled)

    def decode(self, path: Path, cancelled: threading.Event | None = None) -> Audio:
        self.decoding.set()
        return self.inner.decode(path, cancelled)

    def transcribe(
        self, audio: Audio, request: Request, *, on_progress: Callable[[Progress], None], cancelled: threading.Event
    ) -> Transcript:
        self.requests = (*self.requests, request)
        self.before(cancelled)
        return self.inner.transcribe(audio, request, on_progress=on_progress, cancelled=cancelled)


@pytest.fixture
def engine(context: WorkerContext) -> Listening:
    return Listening(context.engine)


@pytest.fixture
def context_with(context: WorkerContext, engine: Listening) -> WorkerContext:
    return replace(context, engine=engine)


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
    assert [path.name for path in (arrivals.folder / "recordings").iterdir()] == [ended.recording]
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
    working = asyncio.create_task(transcribe_note(context, note.id, renew))
    await until(has_begun.is_set)
    return note, working


@pytest.mark.parametrize("how", ["cancel", "delete"])
async def test_a_note_that_nobody_wants_any_more_is_dropped_quickly(  # noqa: PLR0913, PLR0917 - fixtures
    how: str, context_with: WorkerContext, engine: Listening, arrivals: Arrivals, ledger: Ledger, door: FileDoor
) -> None:
    note, working = await begun(context_with, engine, arrivals)
    await (ledger.cancel(note.id) if how == "cancel" else ledger.delete(note.id))
    await asyncio.wait_for(working, 2)
    assert door.events("done") == []
    assert door.events("failed") == []


async def test_a_note_that_is_cancelled_while_it_is_decoded_is_dropped(
    context_with: WorkerContext, engine: Listening, ledger: Ledger, door: FileDoor, tmp_path: Path
) -> None:
    path = write_silent_opus(tmp_path / "hours.ogg", 3 * 3600)
    note, _ = await ledger.record(incoming(file_id=str(path)))
    working = asyncio.create_task(transcribe_note(context_with, note.id, renew))
    await until(engine.decoding.is_set)
    await ledger.cancel(note.id)
    await working
    assert not context_with.threads.is_stuck
    assert door.events("done") == []
    assert (await ledger.get(note.id) or note).audio_s is None


async def test_a_note_that_is_deleted_while_it_is_fetched_leaves_no_recording(
    context: WorkerContext, arrivals: Arrivals, ledger: Ledger, door: FileDoor
) -> None:
    note = await arrivals.note()

    async def fetch_slowly(note: Note, folder: Path) -> Path:
        path = await FileDoor.fetch(door, note, folder)
        await ledger.delete(note.id)
        return path

    with mock.patch.object(door, "fetch", fetch_slowly):
        await transcribe_note(context, note.id, renew)
    assert list((arrivals.folder / "recordings").iterdir()) == []
    assert door.events("done") == []


async def test_a_cancelled_note_keeps_saying_so_after_the_last_word_of_progress(
    context_with: WorkerContext, engine: Listening, arrivals: Arrivals, ledger: Ledger, door: FileDoor
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
    context: WorkerContext, arrivals: Arrivals, ledger: Ledger
) -> None:
    del ledger
    with mock.patch.object(FileDoor, "progress", side_effect=OSError):
        assert (await work_on(context, await arrivals.note())).state is State.DONE


async def test_a_door_that_is_closed_for_now_costs_no_try(
    context: WorkerContext, arrivals: Arrivals, door: FileDoor
) -> None:
    note = await arrivals.note()
    door.fetches = [RetryLater(9)]
    with pytest.raises(RetryLater) as later:
        await transcribe_note(context, note.id, renew)
    assert later.value.after_s == 9
    waiting = await context.ledger.get(note.id)
    assert waiting is not None
    assert (waiting.state, waiting.tries) == (State.QUEUED, 0)
    assert (await work_on(context, note)).state is State.DONE


async def test_a_file_that_cannot_be_fetched_is_left_alone_for_longer_each_time(
    context: WorkerContext, arrivals: Arrivals, door: FileDoor
) -> None:
    note = await arrivals.note()
    door.fetches = [RetryLater() for _ in range(3)]
    pauses = []
    for _ in range(3):
        with pytest.raises(RetryLater) as later:
            await transcribe_note(context, note.id, renew)
        pauses.append(later.value.after_s)
        await asyncio.sleep(0.9)
    assert pauses[0] == 1
    assert pauses[2] > pauses[0]
    done = await work_on(context, note)
    assert (done.state, done.unfetched_since) == (State.DONE, None)


async def test_a_file_that_cannot_be_fetched_for_a_day_is_given_up(
    context: WorkerContext, arrivals: Arrivals, door: FileDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "DEADLINE_H", 0)
    door.fetches = [RetryLater()]
    ended = await work_on(context, await arrivals.note())
    assert ended.error is not None
    assert (ended.state, ended.error.code) == (State.FAILED, "audio_unavailable")
    assert [event["code"] for event in door.events("failed")] == ["audio_unavailable"]


async def test_the_same_file_is_answered_from_the_ledger(
    context: WorkerContext, arrivals: Arrivals, door: FileDoor
) -> None:
    first = await work_on(context, await arrivals.note(seed=1, file_unique_id="same"))
    again = await work_on(context, await arrivals.note(seed=1, file_unique_id="same"))
    assert len(door.events("fetch")) == 1
    assert [event["text"] for event in door.events("done")] == [arrivals.texts[first.id]] * 2
    assert (again.engine_s, again.digest) == (0, first.digest)


def promise_twice_as_much(wave: Path, seconds: int) -> None:
    with wave.open("r+b") as file:
        file.seek(40)
        file.write((2 * seconds * 32_000).to_bytes(4, "little"))


async def test_of_the_same_sound_only_the_file_that_breaks_off_says_so(
    context: WorkerContext, arrivals: Arrivals
) -> None:
    whole = await work_on(context, await arrivals.note(seed=1, seconds=4))
    note = await arrivals.note(seed=1, seconds=4)
    promise_twice_as_much(Path(note.file_id), seconds=4)
    cut = await work_on(context, note)
    assert cut.digest == whole.digest
    assert cut.engine_s == 0
    transcripts = [await context.ledger.transcript(each.id) for each in (whole, cut)]
    assert [transcript and transcript.promised_duration for transcript in transcripts] == [None, 8]


async def test_the_same_sound_is_answered_from_the_ledger(
    context_with: WorkerContext, engine: Listening, arrivals: Arrivals, door: FileDoor
) -> None:
    for _ in range(2):
        await work_on(context_with, await arrivals.note(seed=1))
    assert len(door.events("fetch")) == 2
    assert len(engine.requests) == 1


async def test_other_wishes_make_another_transcript(
    context_with: WorkerContext, engine: Listening, arrivals: Arrivals
) -> None:
    note = await arrivals.note(seed=1, file_unique_id="same")
    await work_on(context_with, note)
    context = replace(context_with, defaults=Request(language="en", hotwords=("Earshot",)))
    await work_on(context, await arrivals.note(seed=1, file_unique_id="same"))
    assert engine.requests == (Request(), Request(language="en", hotwords=("Earshot",)))


async def test_a_note_s_own_language_comes_before_the_default(
    context_with: WorkerContext, engine: Listening, arrivals: Arrivals, ledger: Ledger
) -> None:
    note = await work_on(context_with, await arrivals.note())
    await ledger.retry(note.id, language="ja")
    await work_on(replace(context_with, defaults=Request(language="en", hotwords=("Earshot",))), note)
    assert engine.requests[-1] == Request(language="ja", hotwords=("Earshot",))


async def test_what_the_owner_wishes_of_texts_holds_for_every_note_and_is_asked_for_once(
    context_with: WorkerContext, engine: Listening, arrivals: Arrivals, ledger: Ledger
) -> None:
    wishes = Request(languages=("en", "ja"), itn=False, punctuation=False, chinese="traditional")
    context = replace(context_with, defaults=wishes)
    note, _ = [await work_on(context, await arrivals.note(seed=1, file_unique_id="same")) for _ in range(2)]
    assert [*engine.requests] == [wishes]
    await ledger.retry(note.id, language="ja")
    await work_on(context, note)
    assert [*engine.requests] == [wishes, replace(wishes, language="ja")]


async def test_a_retry_is_transcribed_anew(
    context_with: WorkerContext, engine: Listening, arrivals: Arrivals, ledger: Ledger
) -> None:
    note = await work_on(context_with, await arrivals.note())
    await ledger.retry(note.id, language=None)
    assert (await work_on(context_with, note)).state is State.DONE
    assert len(engine.requests) == 2


async def test_the_same_sound_that_is_being_transcribed_is_waited_for(
    context_with: WorkerContext, engine: Listening, arrivals: Arrivals
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(_: threading.Event) -> None:
        begun.set()
        go_on.wait(30)

    engine.before = slow
    first, second = [await arrivals.note(seed=1) for _ in range(2)]
    working = asyncio.create_task(transcribe_note(context_with, first.id, renew))
    await until(begun.is_set)
    other = replace(context_with, worker_id="worker-b", threads=EngineThreads())
    with pytest.raises(RetryLater):
        await transcribe_note(other, second.id, renew)
    go_on.set()
    await working
    assert (await work_on(other, second)).state is State.DONE
    assert len(engine.requests) == 1


async def test_a_full_disk_is_waited_for(
    context: WorkerContext, arrivals: Arrivals, ledger: Ledger, door: FileDoor
) -> None:
    note = await arrivals.note()
    door.fetches = [OSError(errno.ENOSPC, "No space left on device")]
    with pytest.raises(RetryLater):
        await transcribe_note(context, note.id, renew)
    waiting = await ledger.get(note.id)
    assert waiting is not None
    assert (waiting.state, waiting.tries) == (State.QUEUED, 0)
    assert (await work_on(context, note)).state is State.DONE


async def test_poison_is_not_touched_a_fourth_time(
    context: WorkerContext, arrivals: Arrivals, ledger: Ledger, door: FileDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = await arrivals.note()
    for times in range(1, transcription.MAX_TRIES + 1):
        claimed = await ledger.claim(note.id, "doomed")
        assert claimed is not None
        assert await ledger.begin_attempt(note.id, claimed.fence)
        ahead = timedelta(seconds=times * (states.HOLD_S + 1))
        monkeypatch.setattr(clock, "now", lambda ahead=ahead: now() + ahead)
    ended = await work_on(context, note)
    assert ended.error is not None
    assert (ended.error.code, ended.error.params) == ("gave_up", {"tries": 3})
    assert door.events("fetch") == []


async def test_a_locked_database_does_not_cost_the_transcript(
    context_with: WorkerContext, engine: Listening, arrivals: Arrivals, ledger: Ledger
) -> None:
    with mock.patch.object(ledger, "finish", side_effect=_busy_at_first(2, ledger.finish)):
        ended = await work_on(context_with, await arrivals.note())
    assert ended.state is State.DONE
    assert len(engine.requests) == 1


async def test_a_note_is_handed_back_in_time_although_the_database_is_locked(
    context_with: WorkerContext, engine: Listening, arrivals: Arrivals, tmp_path: Path
) -> None:
    engine.before = lambda cancelled: cancelled.wait(30)
    note = await arrivals.note()
    working = asyncio.create_task(transcribe_note(context_with, note.id, renew))
    await until(lambda: bool(engine.requests))
    with contextlib.closing(sqlite3.connect(tmp_path / "earshot.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        working.cancel()
        await asyncio.wait({working})
        assert time.monotonic() - began < transcription.RELEASE_S + 1.5
        other.rollback()


def _busy_at_first(times: int, call: Callable[..., Awaitable[bool]]) -> Callable[..., Awaitable[bool]]:
    left = times

    async def busy_at_first(*args: object, **named: object) -> bool:
        nonlocal left
        left -= 1
        if left >= 0:
            raise DatabaseBusy(where="x")
        return await call(*args, **named)

    return busy_at_first


async def test_a_note_that_is_over_is_left_alone(context: WorkerContext, arrivals: Arrivals, door: FileDoor) -> None:
    note = await work_on(context, await arrivals.note())
    await transcribe_note(context, note.id, renew)
    await transcribe_note(context, "unknown", renew)
    assert len(door.events("done")) == 1
