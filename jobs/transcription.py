"""Transcribes one note, from its claim to the delivery of its answer. Knows nothing of how it got the note's id."""

import asyncio
import contextlib
import errno
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from time import monotonic

import structlog

from engine import Audio, Fault, Progress, Transcript
from jobs.backoff import DEADLINE_H, is_overdue, pause_since_s
from jobs.delivery import Outcome, handle_lost_note
from jobs.door import Door, RetryLater
from jobs.errors import AudioUnavailable, MaxTriesExceeded
from jobs.leases import Lease, LeaseLost
from jobs.resilience import cancel_and_wait, retry_until_written
from jobs.same_audio import SameAudio, find_same_audio
from jobs.scratch_folders import scratch_folder
from jobs.speech_engine import options_of, request_for
from jobs.worker_context import WorkerContext
from storage.errors import DatabaseFault
from storage.note import Failure, Note, State
from storage.uninterruptible import run_to_end

MAX_TRIES = 3
SAME_AUDIO_PAUSE_S = 2.0
DATABASE_PAUSE_S = 5.0
DISK_PAUSE_S = 10.0
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)  # may pass once the owner acts
RELEASE_S = 3.0
PROGRESS_INTERVAL_S = 1.0
LAST_PROGRESS_S = 2.0  # how long a call that is under way may still take at the end

log = structlog.get_logger()


async def transcribe_note(context: WorkerContext, note_id: str) -> Outcome | None:
    """Claim the note and transcribe it, unless that was done before; return how it ended, still held, to be delivered.

    None if nothing is left to do here: it is gone or settled, or somebody else's.

    Raises:
        RetryLater: the note was handed back and comes again later.
    """
    since = monotonic()
    claimed = await _claim(context, note_id)
    if claimed is None:
        return None
    note, same_audio = claimed
    if note.state is not State.PROCESSING:
        return Outcome(note, same_audio.transcript, since)
    transcription: Transcription | None = None
    try:
        async with context.leases.hold(note, since) as lease:
            transcription = Transcription(context, note, lease)
            return await transcription.run(same_audio)
    except LeaseLost:
        await handle_lost_note(context, note)
        return None
    except (RetryLater, asyncio.CancelledError):
        await _release(context, note, begun=transcription is not None and transcription.has_begun)
        raise


async def _claim(context: WorkerContext, note_id: str) -> tuple[Note, SameAudio] | None:
    try:
        return await _claim_and_look(context, note_id)
    except DatabaseFault as fault:
        log.warning("database_trouble", job=note_id, error=str(fault))
        raise RetryLater(DATABASE_PAUSE_S) from fault


@run_to_end
async def _claim_and_look(context: WorkerContext, note_id: str) -> tuple[Note, SameAudio] | None:
    """Claim the note, and find what is known of its audio, or its own transcript if it was done before."""
    ledger = context.ledger
    async with ledger.transaction():
        note = await ledger.get(note_id)
        if note is None:
            return None
        if note.door != context.door.name:
            log.info("left_to_its_door", job=note_id, door=note.door)  # whose own workers' reaper queues it again
            return None
        options = options_of(note, context.engine.model, context.defaults)
        mine = await ledger.claim(note_id, context.worker_id, options=options)
        if mine is None:
            return None
        if mine.state is State.PROCESSING:
            await context.door.look_up(mine)
            return mine, await find_same_audio(ledger, mine, options)
        return mine, SameAudio(await ledger.transcript(note_id) if mine.state is State.DONE else None)


async def _release(context: WorkerContext, note: Note, *, begun: bool) -> None:
    """Hand the note back. If the database does not answer, its hold expires a little later."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(RELEASE_S):
            await retry_until_written(lambda: context.ledger.release(note.id, note.fence, begun=begun))


class Transcription:
    """One attempt to get a note's transcript into the ledger."""

    def __init__(self, context: WorkerContext, note: Note, lease: Lease) -> None:
        """Prepare to work on `note`, whose lease is `lease`."""
        self._context = context
        self._note = note
        self._lease = lease
        self._request = request_for(note, context.defaults)
        self._options = options_of(note, context.engine.model, context.defaults)
        self._engine_s = 0.0
        self._recording = ""  # the extension of the recording, once that is kept
        self.has_begun = False

    async def run(self, same_audio: SameAudio) -> Outcome:
        """Transcribe, unless `same_audio` has the transcript, and record the note as done, or as failed with why.

        Raises:
            LeaseLost: the note is no longer ours.
            RetryLater: the note has to wait.
        """
        try:
            transcript = await self._make_transcript(same_audio)
            return await self._end(lambda: self._finish(transcript), transcript)
        except DatabaseFault as fault:
            raise RetryLater(DATABASE_PAUSE_S) from fault
        except Fault as fault:
            failure = Failure.of(fault)
            return await self._end(lambda: self._fail(failure))
        except (LeaseLost, RetryLater):
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno in DISK_ERRORS:
                log.warning("disk_trouble", job=self._note.id, error=str(error))
                raise RetryLater(DISK_PAUSE_S) from error
            log.exception("internal", job=self._note.id)
            return await self._end(lambda: self._fail(Failure(code=Fault.code, params={})))

    async def _end(self, write: Callable[[], Awaitable[Note | None]], transcript: Transcript | None = None) -> Outcome:
        async def attempt() -> Outcome | None:
            since = monotonic()
            ended = await write()
            return None if ended is None else Outcome(ended, transcript, since)

        outcome = await retry_until_written(attempt)
        if outcome is None:
            raise LeaseLost
        return outcome

    async def _finish(self, transcript: Transcript) -> Note | None:
        note = self._note
        digest = note.digest or ""
        return await self._context.ledger.finish(
            note.id, note.fence, transcript, engine_s=self._engine_s, digest=digest, recording=self._recording
        )

    async def _fail(self, failure: Failure) -> Note | None:
        return await self._context.ledger.fail(self._note.id, self._note.fence, failure)

    async def _make_transcript(self, same_audio: SameAudio) -> Transcript:
        if self._note.tries >= MAX_TRIES:
            raise MaxTriesExceeded(tries=MAX_TRIES)
        if found := self._reused(same_audio):
            return found
        with scratch_folder(self._context.scratch, self._note) as folder:
            path = await self._fetch(folder)
            async with contextlib.AsyncExitStack() as stack:
                slot = self._context.isolation.slot(suspect=self._note.tries > 0)
                await self._lease.unless_lost(stack.enter_async_context(slot))
                audio = await self._decode(path)
                found = self._reused(await self._record_digest(audio))
                made = replace(found, promised_duration=audio.declared_s) if found else await self._transcribe(audio)
            await self._keep_recording(path)
            return made

    def _reused(self, same_audio: SameAudio) -> Transcript | None:
        """Return the transcript of the same audio, if there is one.

        Raises:
            RetryLater: another worker is transcribing that audio now.
        """
        if same_audio.is_running:
            raise RetryLater(SAME_AUDIO_PAUSE_S)
        if same_audio.digest is not None:
            self._note = replace(self._note, digest=same_audio.digest)
        return same_audio.transcript

    async def _fetch(self, folder: Path) -> Path:
        try:
            path = await self._lease.unless_lost(self._context.door.fetch(self._note, folder))
        except RetryLater as later:
            raise RetryLater(max(later.after_s, await self._pause_before_next_fetch())) from later
        return path

    async def _pause_before_next_fetch(self) -> float:
        """Return how long to wait until the next fetch, in seconds, so that one that keeps failing takes no place.

        Raises:
            AudioUnavailable: it has failed for too long.
        """
        since = await self._context.ledger.fetch_failed(self._note.id, self._note.fence)
        if since is None:
            raise LeaseLost
        failing_s = (await self._context.ledger.current_time() - since).total_seconds()
        if is_overdue(failing_s):
            raise AudioUnavailable(hours=DEADLINE_H)
        return pause_since_s(failing_s)

    async def _decode(self, path: Path) -> Audio:
        context = self._context
        await self._begin_attempt()
        return await context.threads.run(
            lambda cancelled: context.engine.decode(path, cancelled),
            limit_s=context.timeout_s,
            lost=self._lease.lost,
        )

    @run_to_end
    async def _record_digest(self, audio: Audio) -> SameAudio:
        """Record the digest, and find what is known of the same sound in another file."""
        ledger = self._context.ledger
        self._note = note = replace(self._note, digest=audio.digest)
        async with ledger.transaction():
            if not await ledger.set_digest(note.id, note.fence, audio.digest, audio_s=audio.duration):
                raise LeaseLost
            return await find_same_audio(ledger, note, self._options)

    async def _begin_attempt(self) -> None:
        """Count a try from here on: fetching and delivering cannot kill a worker by what the audio holds."""
        self.has_begun = await self._context.ledger.begin_attempt(self._note.id, self._note.fence)
        if not self.has_begun:
            raise LeaseLost

    async def _keep_recording(self, path: Path) -> None:
        try:
            self._recording = await self._context.artefacts.keep_recording(self._note.id, path)
        except OSError as error:
            log.warning("recording_not_kept", job=self._note.id, error=str(error))

    async def _transcribe(self, audio: Audio) -> Transcript:
        reporter = ProgressReporter(self._context.door, self._note)

        def work(cancelled: threading.Event) -> Transcript:
            return self._context.engine.transcribe(
                audio, self._request, on_progress=reporter.update, cancelled=cancelled
            )

        began = monotonic()
        async with reporter.reporting():
            transcript = await self._context.threads.run(
                work, limit_s=self._context.timeout_s, lost=self._lease.lost, running_s=self._context.engine.running_s
            )
            self._engine_s = monotonic() - began
        return transcript


class ProgressReporter:
    """Passes the engine's latest progress, which comes from its thread, on to the door about once a second."""

    def __init__(self, door: Door, note: Note) -> None:
        """Report to `door` about `note`."""
        self._door = door
        self._note = note
        self._fraction = 0.0
        self._reported = 0.0
        self._over = asyncio.Event()

    def update(self, progress: Progress) -> None:
        """Keep how far the engine is. Called in the engine's thread."""
        if progress.total_s > 0:
            self._fraction = min(1.0, progress.done_s / progress.total_s)

    @contextlib.asynccontextmanager
    async def reporting(self) -> AsyncIterator[None]:
        """Report for as long as the block runs. No report comes after it, so none overwrites the answer."""
        task = asyncio.create_task(self._report_until_over())
        try:
            yield
        finally:
            self._over.set()
            await asyncio.wait({task}, timeout=LAST_PROGRESS_S)
            await cancel_and_wait(task)

    async def _report_until_over(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), PROGRESS_INTERVAL_S)
            if self._fraction > self._reported and not self._over.is_set():
                self._reported = self._fraction
                await self._report()

    async def _report(self) -> None:
        try:
            await self._door.progress(self._note, self._reported)
        except Exception as error:  # noqa: BLE001 - progress is a courtesy; the answer matters
            log.info("progress_not_told", job=self._note.id, error=repr(error))
