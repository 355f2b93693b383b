"""The queue of notes in Redis. It carries only their ids: what is lost here is queued again from the ledger."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from time import time

from arq import ArqRedis
from arq.jobs import serialize_job

from jobs.admission import is_long
from jobs.errors import QueueUnreachable
from jobs.fairness import BEGUN_SCORE, score_ms
from jobs.lua_scripts import LuaScripts, long_key
from jobs.redis import QUEUE, REDIS_ERRORS, connect, to_json
from jobs.redis_refusals import refusal
from jobs.resilience import Outage
from jobs.worker_registry import WorkerInfo, live_workers
from storage.ledger import Ledger
from storage.note import Note, State

__all__ = ["TRANSCRIBE", "Queue", "connect"]

TRANSCRIBE = "transcribe"  # the name of the job that workers register
JOB_TTL_MS = 30 * 86_400_000


class Queue:
    """The queue in which notes wait for a worker."""

    def __init__(self, redis: ArqRedis, ledger: Ledger) -> None:
        """Queue the notes of `ledger` in `redis`."""
        self.redis = redis
        self._ledger = ledger
        self._scripts = LuaScripts(redis)
        self._outage = Outage("queue")

    async def enqueue(self, note: Note) -> bool:
        """Queue the note by its score. Doing so again changes nothing.

        False when Redis does not answer: the note is safe in the ledger and is queued once Redis is back.
        """
        score = await self._score_ms(note)
        job = serialize_job(TRANSCRIBE, (note.id,), {}, None, round(time() * 1000), serializer=to_json)
        try:
            async with self.redis.pipeline() as pipe:
                pipe.set(f"arq:job:{note.id}", job, px=JOB_TTL_MS)
                if is_long(note):
                    pipe.set(long_key(note.id), b"", px=JOB_TTL_MS)
                pipe.zadd(QUEUE, {note.id: score}, nx=True)
                await pipe.execute()
        except REDIS_ERRORS as error:
            self._outage.report_failure(error)
            return False
        self._outage.report_success()
        return True

    async def remove(self, note_id: str) -> None:
        """Remove the note, if it is queued. If Redis does not answer it stays, and a worker finds it ended."""
        try:
            await self.redis.zrem(QUEUE, note_id)
            await self.redis.delete(f"arq:job:{note_id}", long_key(note_id))
        except REDIS_ERRORS as error:
            self._outage.report_failure(error)

    async def ids_ahead(self, note: Note) -> list[str] | None:
        """Return the ids of the waiting notes that run before this one, which may be about to be queued.

        None if the note itself runs.

        Raises:
            QueueUnreachable: Redis does not answer.
        """
        score = await self._score_ms(note)
        async with _redis_errors_as_faults():
            return await self._scripts.waiting_before(note.id, score)

    async def missing(self, note_ids: Sequence[str]) -> list[str]:
        """Return those of the ids that are not in the queue, neither waiting nor running.

        Raises:
            QueueUnreachable: Redis does not answer.
        """
        if not note_ids:
            return []
        async with _redis_errors_as_faults():
            scores = await self.redis.zmscore(QUEUE, list(note_ids))
        return [note_id for note_id, score in zip(note_ids, scores, strict=True) if score is None]

    async def workers(self) -> list[WorkerInfo]:
        """Return the live workers.

        Raises:
            QueueUnreachable: Redis does not answer.
        """
        async with _redis_errors_as_faults():
            return await live_workers(self.redis)

    async def _score_ms(self, note: Note) -> int:
        if note.state is not State.QUEUED:
            return BEGUN_SCORE
        before = await self._ledger.unfinished_before(note)
        return score_ms(round(note.queued_at.timestamp() * 1000), before)

    async def close(self) -> None:
        """Close the connections."""
        await self.redis.aclose(close_connection_pool=True)


@asynccontextmanager
async def _redis_errors_as_faults() -> AsyncIterator[None]:
    try:
        yield
    except REDIS_ERRORS as error:
        raise refusal(error) or QueueUnreachable(reason=str(error) or type(error).__name__) from error
