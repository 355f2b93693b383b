"""A worker: takes notes from the queue until it is told to stop. The engine and the door are handed in."""

import asyncio
import contextlib
import os
import secrets
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import structlog
from arq import ArqRedis

from engine import Request
from jobs.door import Door, NotNow
from jobs.ending import end
from jobs.engine_threads import STOP_S
from jobs.errors import EngineStuck
from jobs.leased_worker import OUTAGE_PAUSE_S, LeasedWorker
from jobs.memory import Outgrown, check_growth, check_limit
from jobs.periodic import meanwhile
from jobs.presence import SILENCE_S, Announcer
from jobs.queue import Queue
from jobs.reaper import INTERVAL_S, Reaper
from jobs.redis import TROUBLE
from jobs.scratch import sweep
from jobs.speech import Speech
from jobs.transcription import transcribe_note
from jobs.workplace import Workplace
from storage.ledger import Ledger
from storage.recordings import Recordings
from storage.states import HOLD_S

PRESENCE_S = SILENCE_S / 3
GOODBYE_S = 2.0

log = structlog.get_logger()


async def run_worker(  # noqa: PLR0913 - a composition root hands in every part by name
    *,
    engine: Speech,
    ledger: Ledger,
    redis: ArqRedis,
    door: Door,
    recordings: Recordings,
    data_dir: Path,
    timeout_s: float,
    grace_s: float,
    max_memory_mb: int = 0,
    notes_at_once: int = 0,
    defaults: Request | None = None,
    name: str | None = None,
) -> None:
    """Work until SIGTERM or SIGINT; then finish the notes at hand, for up to `grace_s`, or hand them back.

    A worker that has grown past `max_memory_mb` (0 is no limit) takes no more notes and ends with its last.
    `timeout_s` limits decoding a note, and transcribing it. `notes_at_once` is how many it takes at the same time; 0 is
    as many as suit the engine. `defaults` holds where a note asks for nothing.

    Raises:
        MemoryLimitTooSmall: it is larger than that before it began.
        EngineStuck: the engine does not stop; the process should end, so that a new one takes its place.
    """
    check_limit(max_memory_mb)
    place = Workplace(
        worker_id=f"{name or socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}",
        ledger=ledger,
        door=door,
        engine=engine,
        recordings=recordings,
        scratch=data_dir / "scratch",
        timeout_s=timeout_s,
        max_memory_mb=max_memory_mb,
        defaults=defaults or Request(),
    )
    queue = Queue(redis, ledger)
    at_once = notes_at_once or engine.notes_at_once
    announcer = Announcer(redis, place.worker_id, engine.model, at_once)
    reaper = Reaper(redis, ledger, queue)
    async with (
        _announced(announcer),
        meanwhile(INTERVAL_S, reaper.pass_by, "reaper"),
        meanwhile(INTERVAL_S, lambda: sweep(place.scratch, ledger), "scratch"),
    ):
        await _Shift(place, redis, announcer, at_once, grace_s).work()


class _Shift:
    """A worker from its first note to its end."""

    def __init__(self, place: Workplace, redis: ArqRedis, announcer: Announcer, at_once: int, grace_s: float) -> None:
        self._place = place
        self._announcer = announcer
        self._met_stuck_engine = False
        self._worker = LeasedWorker(
            redis, place.worker_id, self._do, self._takes_more, at_once=at_once, grace_s=grace_s
        )

    async def work(self) -> None:
        """Take notes until a signal, or until this process should be replaced."""
        log.info("worker_ready", worker=self._place.worker_id, model=self._place.engine.model)
        working = asyncio.create_task(_through_outages(self._worker))
        signalled = self._worker.main_task = asyncio.create_task(_forever())  # what arq cancels to stop
        try:
            await asyncio.wait({working, signalled}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            signalled.cancel()
            await _ended(self._worker, working)
            await self._place.threads.rest()

    async def _do(self, note_id: str) -> None:
        self._announcer.notes.add(note_id)
        with contextlib.suppress(*TROUBLE):
            await self._announcer.announce()
        try:
            worker = self._worker
            await transcribe_note(
                self._place, note_id, lambda: worker.renew(note_id), lambda: worker.only_deliver(note_id)
            )
        except NotNow:
            raise
        except Exception:
            log.exception("internal", job=note_id)
            raise NotNow(HOLD_S) from None  # by then nobody holds the note, and the ledger counts the try
        finally:
            self._announcer.notes.discard(note_id)
            self._met_stuck_engine = self._place.threads.stuck  # not before: the chat has to be told first

    def _takes_more(self) -> bool:
        if self._met_stuck_engine or self._place.engine.is_stuck:
            raise EngineStuck(seconds=STOP_S)
        try:
            check_growth(self._place.max_memory_mb)
        except Outgrown:
            if self._worker.tasks:
                return False
            raise
        return not (self._place.engine.is_blocked or self._place.company.is_closed)


async def _forever() -> None:
    await asyncio.Event().wait()


async def _through_outages(worker: LeasedWorker) -> None:
    """Run arq's loop; it asks Redis who it is at its beginning, when that may not be there yet."""
    while True:
        try:
            await worker.main()
        except TROUBLE as error:
            worker.outage.goes_on(error)
            await asyncio.sleep(OUTAGE_PAUSE_S)


async def _ended(worker: LeasedWorker, working: asyncio.Task[None]) -> None:
    for task in worker.tasks.values():
        if not task.cancelling():  # a second time would break off the handing back
            task.cancel()
    await end(working)
    with contextlib.suppress(*TROUBLE):
        await worker.stopped()
    try:
        await working
    except Outgrown as held:
        log.info("worker_outgrown", held_mb=round(held.resident_mb))
    except asyncio.CancelledError:
        pass


@contextlib.asynccontextmanager
async def _announced(announcer: Announcer) -> AsyncIterator[None]:
    try:
        async with meanwhile(PRESENCE_S, announcer.announce, "presence"):
            yield
    finally:
        with contextlib.suppress(TimeoutError, *TROUBLE):
            async with asyncio.timeout(GOODBYE_S):
                await announcer.leave()
