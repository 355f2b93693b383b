"""The queue of notes in Redis. It carries only their ids: what is lost here is queued again from the ledger."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from time import time

from arq.jobs import serialize_job

from jobs.admission import expected_audio_s
from jobs.errors import QueueUnreachable
from jobs.lua_scripts import BEGUN_SCORE, LuaScripts, Place, QueuedJob
from jobs.redis import REDIS_ERRORS, PrefixedRedis, connect, to_json
from jobs.redis_refusals import refusal
from jobs.resilience import Outage
from jobs.worker_registry import WorkerInfo, live_workers
from storage.note import Note

__all__ = ["TRANSCRIBE", "Queue", "connect"]

TRANSCRIBE = "transcribe"  # the name of the job that workers register
BATCH = 200  # how many are queued in one step, in which Redis answers nobody else


class Queue:
    """The queue in which notes wait for a worker."""

    def __init__(self, redis: PrefixedRedis) -> None:
        """Queue notes in `redis`."""
        self.redis = redis
        self._scripts = LuaScripts(redis)
        self._outage = Outage("queue")

    async def enqueue(self, note: Note) -> bool:
        """Queue the note by its tag. Doing so again changes nothing.

        False when Redis does not answer: the note is safe in the ledger and is queued once Redis is back.
        """
        return await self.enqueue_many([note])

    async def enqueue_many(self, notes: Sequence[Note]) -> bool:
        """Queue notes; as `enqueue`."""
        jobs = [self._job(note) for note in notes]
        try:
            for start in range(0, len(jobs), BATCH):
                await self._scripts.enqueue(jobs[start : start + BATCH])
        except REDIS_ERRORS as error:
            self._outage.report_failure(error)
            return False
        self._outage.report_success()
        return True

    async def remove(self, note_id: str) -> None:
        """Remove the note, if it is queued. If Redis does not answer it stays, and a worker finds it ended."""
        try:
            await self._scripts.remove(self.redis.job_id(note_id))
        except REDIS_ERRORS as error:
            self._outage.report_failure(error)

    async def place(self, note: Note) -> Place | None:
        """Return the place of the note, which may be about to be queued; None if it runs.

        Raises:
            QueueUnreachable: Redis does not answer.
        """
        async with _redis_errors_as_faults():
            return await self._scripts.place(self.redis.job_id(note.id), _score(note))

    async def missing(self, note_ids: Sequence[str]) -> list[str]:
        """Return those of the ids that are not in the queue, neither waiting nor running.

        Raises:
            QueueUnreachable: Redis does not answer.
        """
        if not note_ids:
            return []
        jobs = [self.redis.job_id(note_id) for note_id in note_ids]
        async with _redis_errors_as_faults(), self.redis.pipeline() as pipe:
            for name in ("waiting", "running", "later"):
                pipe.zmscore(self.redis.key(name), jobs)
            found = zip(*await pipe.execute(), strict=True)
        return [note_id for note_id, scores in zip(note_ids, found, strict=True) if scores == (None, None, None)]

    async def workers(self) -> list[WorkerInfo]:
        """Return the live workers.

        Raises:
            QueueUnreachable: Redis does not answer.
        """
        async with _redis_errors_as_faults():
            return await live_workers(self.redis)

    def _job(self, note: Note) -> QueuedJob:
        return QueuedJob(
            job_id=self.redis.job_id(note.id),
            payload=serialize_job(TRANSCRIBE, (note.id,), {}, None, round(time() * 1000), serializer=to_json),
            score=_score(note),
            audio_ms=round(1000 * expected_audio_s(note)),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self.redis.aclose(close_connection_pool=True)


def _score(note: Note) -> int:
    """Return the note's score; the lower one runs earlier, and what a worker has begun comes first."""
    return note.tag if note.started_at is None else BEGUN_SCORE


@asynccontextmanager
async def _redis_errors_as_faults() -> AsyncIterator[None]:
    try:
        yield
    except REDIS_ERRORS as error:
        raise refusal(error) or QueueUnreachable(reason=str(error) or type(error).__name__) from error
