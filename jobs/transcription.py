"""What a worker does with one note, from its claim to its answer. Knows nothing of how it got the note's id."""

import asyncio
import contextlib
import errno
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from time import monotonic

import structlog

from engine import Audio, Fault, Transcript
from jobs.delivery import deliver, settle_lost
from jobs.door import NotNow
from jobs.engine_threads import NoteLost
from jobs.errors import GaveUp
from jobs.lease import Lease
from jobs.persistence import persistently
from jobs.progress import ProgressTeller
from jobs.scratch import scratch_folder
from jobs.speech import options_of, request_for
from jobs.workplace import Workplace
from storage.errors import DatabaseFault
from storage.note import Failure, Note, State

MAX_TRIES = 3
TWIN_PAUSE_S = 2.0
DATABASE_PAUSE_S = 5.0
DISK_PAUSE_S = 10.0
DISK_TROUBLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)  # somebody will see to it
RELEASE_S = 3.0

log = structlog.get_logger()


async def transcribe_note(
    place: Workplace,
    note_id: str,
    renew_in_redis: Callable[[], Awaitable[object]],
    tell_ended: Callable[[], Awaitable[object]] | None = None,
) -> None:
    """Do what is to be done for the note: transcribe it, or just deliver what was done before.

    `tell_ended` is called when only the delivery is left.

    Raises:
        NotNow: it has to wait; it was handed back and comes again.
    """
    note = await _claimed(place, note_id)
    if note is None:
        return
    lease = Lease(place.ledger, note, renew_in_redis)
    transcription = Transcription(place, note, lease)
    try:
        async with lease.kept():
            if note.state is State.PROCESSING:
                await transcription.run()
            if tell_ended is not None:
                await tell_ended()
            await deliver(place, note, lease)
    except NoteLost:
        await settle_lost(place, note)
    except (NotNow, asyncio.CancelledError):
        await _release(place, note, begun=transcription.begun)
        raise


async def _claimed(place: Workplace, note_id: str) -> Note | None:
    try:
        note = await place.ledger.get(note_id)
        if note is None:
            return None
        options = options_of(place.engine.model, request_for(note, place.defaults))
        return await place.ledger.claim(note_id, place.worker_id, options=options)
    except DatabaseFault as fault:
        log.warning("database_trouble", job=note_id, error=str(fault))
        raise NotNow(DATABASE_PAUSE_S) from fault


async def _release(place: Workplace, note: Note, *, begun: bool) -> None:
    """Hand the note back. If the database does not answer, others find it unheld a little later."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(RELEASE_S):
            await persistently(lambda: place.ledger.release(note.id, note.fence, begun=begun))


class Transcription:
    """One try to get a note's transcript into the ledger."""

    def __init__(self, place: Workplace, note: Note, lease: Lease) -> None:
        """Prepare to work on `note`, which is held by `lease`."""
        self._place = place
        self._note = note
        self._lease = lease
        self._request = request_for(note, place.defaults)
        self._options = options_of(place.engine.model, self._request)
        self._engine_s = 0.0
        self.begun = False

    async def run(self) -> None:
        """End the note: done, or failed with the reason.

        Raises:
            NoteLost: it is no longer ours.
            NotNow: it has to wait.
        """
        try:
            transcript = await self._transcript()
            ended = await persistently(lambda: self._finish(transcript))
        except DatabaseFault as fault:
            raise NotNow(DATABASE_PAUSE_S) from fault
        except Fault as fault:
            failure = Failure.of(fault)
            ended = await persistently(lambda: self._fail(failure))
        except (NoteLost, NotNow):
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno in DISK_TROUBLE:
                log.warning("disk_trouble", job=self._note.id, error=str(error))
                raise NotNow(DISK_PAUSE_S) from error
            log.exception("internal", job=self._note.id)
            ended = await persistently(lambda: self._fail(Failure(code=Fault.code, params={})))
        if not ended:
            raise NoteLost

    async def _finish(self, transcript: Transcript) -> bool:
        note = self._note
        digest = note.digest or ""
        return await self._place.ledger.finish(note.id, note.fence, transcript, engine_s=self._engine_s, digest=digest)

    async def _fail(self, failure: Failure) -> bool:
        return await self._place.ledger.fail(self._note.id, self._note.fence, failure)

    async def _transcript(self) -> Transcript:
        if self._note.tries >= MAX_TRIES:
            raise GaveUp(tries=MAX_TRIES)
        if found := await self._made_before():
            return found
        with scratch_folder(self._place.scratch, self._note) as folder:
            path = await self._fetched(folder)
            async with contextlib.AsyncExitStack() as inside:
                joined = self._place.company.joined(suspect=self._note.tries > 0)
                await self._lease.unless_lost(inside.enter_async_context(joined))
                audio = await self._decoded(path)
                found = await self._made_before()
                return replace(found, promised_duration=audio.declared_s) if found else await self._by_engine(audio)

    async def _made_before(self) -> Transcript | None:
        """Give the transcript of the same audio, if there is one that nobody asked to make anew.

        Raises:
            NotNow: it is being made right now.
        """
        ledger, note = self._place.ledger, self._note
        if note.run > 0:
            return None
        twin = await ledger.same_audio(note, self._options)
        if twin is None and note.digest:
            twin = await ledger.same_digest(note, self._options, note.digest)
        if twin is None:
            if await ledger.same_running(note):
                raise NotNow(TWIN_PAUSE_S)
            return None
        self._note = replace(note, digest=twin.digest)
        return await ledger.transcript(twin.id)

    async def _fetched(self, folder: Path) -> Path:
        path = await self._lease.unless_lost(self._place.door.fetch(self._note, folder))
        await self._keep_recording(path)
        return path

    async def _decoded(self, path: Path) -> Audio:
        place, note = self._place, self._note
        await self._begin()
        audio = await place.threads.run(
            lambda cancelled: place.engine.decode(path, cancelled),
            limit_s=place.timeout_s,
            lost=self._lease.lost,
        )
        self._note = replace(note, digest=audio.digest)
        await place.ledger.set_digest(note.id, note.fence, audio.digest, audio_s=audio.duration)
        return audio

    async def _begin(self) -> None:
        """Count a try from here on: fetching and delivering have never killed a worker by what the sound holds."""
        self.begun = await self._place.ledger.begin(self._note.id, self._note.fence)
        if not self.begun:
            raise NoteLost

    async def _keep_recording(self, path: Path) -> None:
        try:
            name = await asyncio.to_thread(self._place.recordings.save, self._note.id, path, path.suffix)
        except OSError as error:
            log.warning("recording_not_kept", job=self._note.id, error=str(error))
            return
        if name != self._note.recording and not await self._place.ledger.set_recording(self._note.id, name):
            await asyncio.to_thread(self._place.recordings.forget, self._note.id)
            raise NoteLost

    async def _by_engine(self, audio: Audio) -> Transcript:
        teller = ProgressTeller(self._place.door, self._note)

        def work(cancelled: threading.Event) -> Transcript:
            return self._place.engine.transcribe(audio, self._request, on_progress=teller.hear, cancelled=cancelled)

        began = monotonic()
        async with teller.telling():
            transcript = await self._place.threads.run(
                work, limit_s=self._place.timeout_s, lost=self._lease.lost, turn_s=self._place.engine.running_s
            )
            self._engine_s = monotonic() - began
        return transcript
