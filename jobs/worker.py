"""A worker process: takes notes from the queue until it is told to stop. Engine and door are passed in."""

import asyncio
import contextlib
import os
import resource
import secrets
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import structlog

from engine import Request
from jobs import engine_threads
from jobs.delivery import DeliveryLoop
from jobs.door import Door, RetryLater
from jobs.errors import EngineStuck, MemoryLimitTooSmall
from jobs.leased_worker import LeasedWorker
from jobs.leases import RENEW_S, Leases
from jobs.queue import Queue
from jobs.reaper import INTERVAL_S, Reaper
from jobs.redis import REDIS_ERRORS, PrefixedRedis
from jobs.resilience import cancel_and_wait, running_periodically
from jobs.scratch_folders import sweep
from jobs.speech_engine import SpeechEngine
from jobs.transcription import transcribe_note
from jobs.worker_context import WorkerContext
from jobs.worker_registry import EXPIRY_S, WorkerRegistration
from storage.artefacts.artefacts import Artefacts
from storage.errors import DatabaseFault
from storage.ledger import Ledger
from storage.states import HOLD_S

ANNOUNCE_INTERVAL_S = EXPIRY_S / 3
ARTEFACTS_INTERVAL_S = 5.0
ADOPT_INTERVAL_S = 600.0  # only an older version beside this one leaves something to adopt
UNREGISTER_TIMEOUT_S = 2.0
MB = 1024 * 1024
OTHER_DOOR_REMEDY = "run a worker that serves that door; this one leaves its notes alone"
STATM = Path("/proc/self/statm")

log = structlog.get_logger()


class MemoryLimitExceeded(Exception):
    """The worker has grown past its limit: a new process should take its place."""

    def __init__(self, resident_mb: float) -> None:
        """Say how much memory it holds, in MB."""
        self.resident_mb = resident_mb
        super().__init__(f"{resident_mb:.0f} MB")


async def run_worker(  # noqa: PLR0913 - a composition root hands in every part by name
    *,
    engine: SpeechEngine,
    ledger: Ledger,
    redis: PrefixedRedis,
    door: Door,
    artefacts: Artefacts,
    data_dir: Path,
    timeout_s: float,
    grace_s: float,
    max_memory_mb: int = 0,
    notes_at_once: int = 0,
    defaults: Request | None = None,
    name: str | None = None,
) -> None:
    """Run a worker until SIGTERM or SIGINT; then finish its notes within `grace_s`, or hand them back.

    A worker that has grown past `max_memory_mb` (0 is no limit) takes no more notes and ends with its last.
    `timeout_s` limits decoding a note, and transcribing it. `notes_at_once` is how many it takes at the same time; 0 is
    as many as suit the engine. `defaults` is the request where a note asks for nothing else.

    Raises:
        MemoryLimitTooSmall: it is larger than that before its first note.
        EngineStuck: the engine does not stop; the process should end and be replaced.
    """
    check_memory_at_start(max_memory_mb)
    context = WorkerContext(
        worker_id=f"{name or socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}",
        ledger=ledger,
        leases=Leases(ledger),
        door=door,
        engine=engine,
        artefacts=artefacts,
        scratch=data_dir / "scratch",
        timeout_s=timeout_s,
        max_memory_mb=max_memory_mb,
        defaults=defaults or Request(),
    )
    queue = Queue(redis)
    at_once = notes_at_once or engine.notes_at_once
    registration = WorkerRegistration(redis, context.worker_id, engine.model, at_once)
    reaper = Reaper(redis, ledger, queue, door.name)
    await _report_other_doors(ledger, door.name)
    await artefacts.take_over_old_recordings()
    async with (
        _registered(registration),
        running_periodically(INTERVAL_S, reaper.requeue_orphans, "reaper"),
        running_periodically(INTERVAL_S, lambda: sweep(context.scratch, ledger), "scratch"),
        running_periodically(ARTEFACTS_INTERVAL_S, artefacts.sweep, "artefacts"),
        running_periodically(ADOPT_INTERVAL_S, ledger.adopt_deliveries, "deliveries"),
    ):
        await _WorkerRun(context, redis, registration, at_once, grace_s).work()


async def _report_other_doors(ledger: Ledger, own: str) -> None:
    """Log once that notes of other doors wait for their own workers, as after a change of a bot's token."""
    with contextlib.suppress(DatabaseFault):
        for other, notes in (await ledger.unfinished_by_door()).items():
            if other != own:
                log.warning("notes_of_another_door", door=other, notes=notes, own_door=own, remedy=OTHER_DOOR_REMEDY)


class _WorkerRun:
    """A worker from its first note to its end."""

    def __init__(
        self,
        context: WorkerContext,
        redis: PrefixedRedis,
        registration: WorkerRegistration,
        at_once: int,
        grace_s: float,
    ) -> None:
        self._context = context
        self._deliveries = DeliveryLoop(context)
        self._registration = registration
        self._must_end = False
        self._worker = LeasedWorker(
            redis, context.worker_id, self._run_note, self._can_take_more, at_once=at_once, grace_s=grace_s
        )

    async def work(self) -> None:
        """Take notes until a signal, or until this process should be replaced."""
        log.info("worker_ready", worker=self._context.worker_id, model=self._context.engine.model)
        async with running_periodically(RENEW_S, self._worker.renew, "lease"), self._deliveries.running():
            await self._work()

    async def _work(self) -> None:
        working = asyncio.create_task(self._worker.work())
        signalled = self._worker.main_task = asyncio.create_task(_until_cancelled())  # what arq cancels to stop
        try:
            await asyncio.wait({working, signalled}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            signalled.cancel()
            await _stop(self._worker, working)
            await self._context.threads.wait_idle()

    async def _run_note(self, note_id: str) -> None:
        self._registration.notes.add(note_id)
        with contextlib.suppress(*REDIS_ERRORS):
            await self._registration.refresh()
        try:
            if outcome := await transcribe_note(self._context, note_id):
                self._deliveries.begin(outcome)
        except RetryLater:
            raise
        except Exception:
            log.exception("internal", job=note_id)
            raise RetryLater(HOLD_S) from None  # by then no worker holds the note, and the ledger counts the try
        finally:
            self._registration.notes.discard(note_id)
            self._must_end = self._context.threads.is_stuck  # not earlier: the sender has to be told first

    def _can_take_more(self) -> bool:
        if self._must_end or self._context.engine.is_stuck:
            raise EngineStuck(seconds=engine_threads.STOP_S)
        try:
            check_memory(self._context.max_memory_mb)
        except MemoryLimitExceeded:
            if self._worker.tasks:
                return False
            raise
        return not (self._context.engine.is_blocked or self._context.isolation.has_suspects)


async def _until_cancelled() -> None:
    await asyncio.Event().wait()


async def _stop(worker: LeasedWorker, working: asyncio.Task[None]) -> None:
    for task in worker.tasks.values():
        if not task.cancelling():  # a second time would break off the handing back
            task.cancel()
    await cancel_and_wait(working)
    await worker.wait_stopped()
    try:
        await working
    except MemoryLimitExceeded as exceeded:
        log.info("worker_outgrown", held_mb=round(exceeded.resident_mb))
    except asyncio.CancelledError:
        pass


@contextlib.asynccontextmanager
async def _registered(registration: WorkerRegistration) -> AsyncIterator[None]:
    try:
        async with running_periodically(ANNOUNCE_INTERVAL_S, registration.refresh, "presence"):
            yield
    finally:
        with contextlib.suppress(TimeoutError, *REDIS_ERRORS):
            async with asyncio.timeout(UNREGISTER_TIMEOUT_S):
                await registration.remove()


def resident_mb() -> float:
    """Return the resident memory of this process in MB; where the system has no /proc, its highest value so far."""
    if STATM.exists():
        return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MB
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MB


def check_memory(limit_mb: int) -> None:
    """Check that this process may take another note; a limit of 0 is none.

    Raises:
        MemoryLimitExceeded: it has grown past the limit.
    """
    if limit_mb and (held_mb := resident_mb()) > limit_mb:
        raise MemoryLimitExceeded(held_mb)


def check_memory_at_start(limit_mb: int) -> None:
    """Check the limit before the first note: a worker that starts beyond it would be replaced for ever.

    Raises:
        MemoryLimitTooSmall: the worker is larger already.
    """
    try:
        check_memory(limit_mb)
    except MemoryLimitExceeded as exceeded:
        raise MemoryLimitTooSmall(limit_mb=limit_mb, needed_mb=round(exceeded.resident_mb)) from None
