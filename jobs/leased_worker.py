"""arq's worker with stronger guarantees: short leases that only their holder can end, and outages that it survives.

arq runs the jobs, keeps their format and obeys the signals; which job is next, who may end it, and what happens while
Redis is away is decided here. Only what arq makes public is used.
"""

import asyncio
import math
import secrets
from collections.abc import Awaitable, Callable

import structlog
from arq import Retry, Worker
from arq.worker import func

from jobs.admission import has_room_for_long
from jobs.door import RetryLater
from jobs.leases import LEASE_S
from jobs.lua_scripts import LuaScripts, Run
from jobs.queue import TRANSCRIBE
from jobs.redis import REDIS_ERRORS, PrefixedRedis, from_json, to_json
from jobs.resilience import Outage

POLL_S = 0.05
OUTAGE_PAUSE_S = 0.5
FOREVER = 10_000_000  # seconds, and tries: the ledger and the engine threads limit both
HAND_BACK_S = 10.0
RENEW_TIMEOUT_S = 2.0
LEASE_MS = round(LEASE_S * 1000)

log = structlog.get_logger()


class LeasedWorker(Worker):
    """Runs `at_once` jobs at a time. `run_note` gets the id of a note, and may raise nothing but RetryLater."""

    def __init__(  # noqa: PLR0913 - what it is made of, the numbers by name
        self,
        redis: PrefixedRedis,
        worker_id: str,
        run_note: Callable[[str], Awaitable[None]],
        can_take_more: Callable[[], bool],
        *,
        at_once: int,
        grace_s: float,
    ) -> None:
        """Prepare to work on the queue in `redis`; on SIGTERM, running jobs get `grace_s` to finish.

        `can_take_more` is called at every poll: whether a job may be picked. It raises if this process should end.
        """

        async def transcribe(ctx: dict[str, object], *args: str, **_: str) -> None:
            del ctx
            (note_id,) = args
            try:
                await run_note(note_id)
            except RetryLater as later:
                self._delays_s[redis.job_id(note_id)] = later.after_s
                raise Retry from None

        super().__init__(
            [func(transcribe, name=TRANSCRIBE)],
            redis_pool=redis,
            queue_name=redis.default_queue_name,
            job_completion_wait=math.ceil(grace_s),
            max_jobs=at_once,
            job_timeout=FOREVER,
            max_tries=FOREVER,
            keep_result=0,
            job_serializer=to_json,
            job_deserializer=from_json,
            log_results=False,
        )
        self._redis = redis
        self._worker_id = worker_id
        self._can_take_more = can_take_more
        self._scripts = LuaScripts(redis)
        self._runs: dict[str, Run] = {}
        self._delays_s: dict[str, float] = {}
        self._renewing = asyncio.Lock()
        self._outage = Outage("queue")

    async def work(self) -> None:
        """Pick and run jobs until cancelled, or until this process should end."""
        while True:
            try:
                self._collect_ended()
                if self._can_take_more() and self.allow_pick_jobs and len(self.tasks) < self.max_jobs:
                    await self._pick()
            except REDIS_ERRORS as error:
                self._outage.report_failure(error)
                await asyncio.sleep(OUTAGE_PAUSE_S)
            else:
                self._outage.report_success()
                await asyncio.sleep(POLL_S)

    def _collect_ended(self) -> None:
        """Free the places of jobs that have ended, and raise what ended one before its lease was given back."""
        for job_id, task in list(self.tasks.items()):
            if task.done():
                del self.tasks[job_id]
                self._runs.pop(job_id, None)
                if not task.cancelled():
                    task.result()

    async def _pick(self) -> None:
        token = f"{self._worker_id}:{secrets.token_hex(8)}"
        takes_long = has_room_for_long(sum(run.is_long for run in self._runs.values()), self.max_jobs)
        run = await self._scripts.pick(token, LEASE_MS, takes_long=takes_long)
        if run is None:
            return
        self._runs[run.job_id] = run
        if run.job_id not in self.tasks:  # else this process was frozen until its lease was over, and is first again
            self.tasks[run.job_id] = asyncio.create_task(self.run_job(run.job_id, run.score))

    async def renew(self) -> None:
        """Renew the leases of all runs."""
        if self._runs:
            async with self._renewing, asyncio.timeout(RENEW_TIMEOUT_S):
                await self._scripts.renew([*self._runs.values()], LEASE_MS)

    async def finish_job(  # noqa: PLR0913, PLR0917 - the signature is arq's
        self,
        job_id: str,
        finish: bool,  # noqa: FBT001 - as above
        result_data: bytes | None,
        result_timeout_s: float | None,
        keep_result_forever: bool | None,  # noqa: FBT001 - as above
        incr_score: int | None,
        keep_in_progress: float | None,
    ) -> None:
        """End the run in Redis if its lease is still ours. Results are not kept: the ledger has them."""
        del result_data, result_timeout_s, keep_result_forever, incr_score, keep_in_progress
        await self._end(job_id, finished=finish)

    async def finish_failed_job(self, job_id: str, result_data: bytes | None) -> None:
        """End a run that arq did not begin (the job expired or cannot be read); the reaper queues the note again."""
        del result_data
        await self._end(job_id, finished=True)

    async def wait_stopped(self) -> None:
        """Wait until no job runs any more, after the worker was told to stop.

        A caller that is cancelled once more still lets the jobs hand back their notes.
        """
        if self.tasks:
            ending = asyncio.create_task(asyncio.wait(self.tasks.values()))
            try:
                await asyncio.shield(ending)
            except asyncio.CancelledError:
                await asyncio.wait({ending}, timeout=HAND_BACK_S)
                raise

    async def _end(self, job_id: str, *, finished: bool) -> None:
        delay_ms = round(1000 * self._delays_s.pop(job_id, 0))
        run = self._runs.pop(job_id)
        try:
            async with self._renewing:  # a renewal that comes later would take the lease again
                done = await (self._scripts.end(run) if finished else self._scripts.put_back(run, delay_ms))
        except REDIS_ERRORS as error:
            # The lease expires by itself, and whoever picks the job then finds the note ended.
            self._outage.report_failure(error)
        else:
            if not done:
                log.info("lease_lost", job=job_id)
