"""A worker: takes notes from the queue one by one until it is told to stop. The engine and the door are handed in."""

import asyncio
import contextlib
import os
import secrets
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import structlog
from arq import ArqRedis

from engine.request import Request
from jobs.door import Door, NotNow
from jobs.ending import end
from jobs.engine_thread import STOP_S
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
from jobs.transcribe import transcribe_note
from jobs.workplace import Workplace
from storage.ledger import Ledger
from storage.life import HOLD_S
from storage.recordings import Recordings

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
    defaults: Request | None = None,
    name: str | None = None,
) -> None:
    """Work until SIGTERM or SIGINT; then finish the note at hand, for up to `grace_s`, or hand it back.

    A worker that has grown past `max_memory_mb` (0 is no limit) ends as well, between two notes. `timeout_s` limits
    decoding a note, and transcribing it. `defaults` holds where a note asks for nothing.

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
    announcer = Announcer(redis, place.worker_id, engine.model)
    reaper = Reaper(redis, ledger, queue)
    async with (
        _announced(announcer),
        meanwhile(INTERVAL_S, reaper.pass_by, "reaper"),
        meanwhile(INTERVAL_S, lambda: sweep(place.scratch, ledger), "scratch"),
    ):
        await _work(place, redis, announcer, grace_s)


async def _work(place: Workplace, redis: ArqRedis, announcer: Announcer, grace_s: float) -> None:
    async def do(note_id: str) -> None:
        announcer.busy = note_id
        with contextlib.suppress(*TROUBLE):
            await announcer.announce()
        try:
            await transcribe_note(place, note_id, lambda: worker.renew(note_id))
        except NotNow:
            raise
        except Exception:
            log.exception("internal", job=note_id)
            raise NotNow(HOLD_S) from None  # by then nobody holds the note, and the ledger counts the try
        finally:
            announcer.busy = None

    worker = LeasedWorker(redis, place.worker_id, do, lambda: _check_fitness(place), grace_s)
    log.info("worker_ready", worker=place.worker_id, model=place.engine.model)
    working = asyncio.create_task(_through_outages(worker))
    signalled = worker.main_task = asyncio.create_task(_forever())  # what arq cancels to stop
    try:
        await asyncio.wait({working, signalled}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        signalled.cancel()
        await _ended(worker, working)
        await place.thread.rest()


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


def _check_fitness(place: Workplace) -> None:
    if place.thread.stuck:
        raise EngineStuck(seconds=STOP_S)
    check_growth(place.max_memory_mb)


@contextlib.asynccontextmanager
async def _announced(announcer: Announcer) -> AsyncIterator[None]:
    try:
        async with meanwhile(PRESENCE_S, announcer.announce, "presence"):
            yield
    finally:
        with contextlib.suppress(TimeoutError, *TROUBLE):
            async with asyncio.timeout(GOODBYE_S):
                await announcer.leave()
