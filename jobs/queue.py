"""The queue as others see it. It carries nothing but ids: what is lost here is queued again from the ledger."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import time

from arq import ArqRedis
from arq.jobs import serialize_job

from jobs.admission import is_long
from jobs.errors import QueueUnreachable
from jobs.fairness import BEGUN_SCORE, score_ms
from jobs.outage import Outage
from jobs.presence import Presence, present
from jobs.redis import QUEUE, TROUBLE, connect, to_json
from jobs.scripts import Scripts, long_key
from storage.ledger import Ledger
from storage.note import Note, State

__all__ = ["TRANSCRIBE", "Queue", "Snapshot", "connect"]

TRANSCRIBE = "transcribe"  # the job's name, which workers know
KEPT_MS = 30 * 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Who works, and the ids of the notes that wait, in their order."""

    workers: tuple[Presence, ...]
    waiting: tuple[str, ...]


class Queue:
    """Where notes wait for a worker."""

    def __init__(self, redis: ArqRedis, ledger: Ledger) -> None:
        """Queue the notes of `ledger` in `redis`."""
        self.redis = redis
        self._ledger = ledger
        self._scripts = Scripts(redis)
        self._outage = Outage("queue")

    async def enqueue(self, note: Note) -> bool:
        """Put the note in its place. Again changes nothing.

        False when Redis does not answer: the note is safe in the ledger and is queued once Redis is back.
        """
        score = await self._score_ms(note)
        job = serialize_job(TRANSCRIBE, (note.id,), {}, None, round(time() * 1000), serializer=to_json)
        try:
            async with self.redis.pipeline() as pipe:
                pipe.set(f"arq:job:{note.id}", job, px=KEPT_MS)
                if is_long(note):
                    pipe.set(long_key(note.id), b"", px=KEPT_MS)
                pipe.zadd(QUEUE, {note.id: score}, nx=True)
                await pipe.execute()
        except TROUBLE as error:
            self._outage.goes_on(error)
            return False
        self._outage.is_over()
        return True

    async def forget(self, note_id: str) -> None:
        """Take the note out, if it is there. While Redis does not answer it stays; a worker then finds it ended."""
        try:
            await self.redis.zrem(QUEUE, note_id)
            await self.redis.delete(f"arq:job:{note_id}", long_key(note_id))
        except TROUBLE as error:
            self._outage.goes_on(error)

    async def position(self, note_id: str) -> int:
        """Say the note's turn: 1 for the next to run, 0 when it runs or is not queued.

        Raises:
            QueueUnreachable: Redis does not answer.
        """
        async with _reaching():
            ahead = await self._scripts.waiting(before=note_id)
        return 0 if ahead is None else len(ahead) + 1

    async def ahead(self, note: Note) -> list[str] | None:
        """Give the ids of the waiting notes whose turn comes earlier, also of those of a note that is not queued yet.

        None when the note runs.

        Raises:
            QueueUnreachable: Redis does not answer.
        """
        score = await self._score_ms(note)
        async with _reaching():
            return await self._scripts.waiting(before=note.id, score=score)

    async def unknown(self, note_ids: Sequence[str]) -> list[str]:
        """Give those of the ids that are not in the queue, neither waiting nor running.

        Raises:
            QueueUnreachable: Redis does not answer.
        """
        if not note_ids:
            return []
        async with _reaching():
            scores = await self.redis.zmscore(QUEUE, list(note_ids))
        return [note_id for note_id, score in zip(note_ids, scores, strict=True) if score is None]

    async def workers(self) -> list[Presence]:
        """Give the workers that are there.

        Raises:
            QueueUnreachable: Redis does not answer.
        """
        async with _reaching():
            return await present(self.redis)

    async def snapshot(self) -> Snapshot:
        """Give who works and who waits.

        Raises:
            QueueUnreachable: Redis does not answer.
        """
        async with _reaching():
            waiting = await self._scripts.waiting()
        return Snapshot(workers=tuple(await self.workers()), waiting=tuple(waiting or ()))

    async def _score_ms(self, note: Note) -> int:
        if note.state is not State.QUEUED:
            return BEGUN_SCORE
        before = await self._ledger.unfinished_before(note)
        return score_ms(round(note.queued_at.timestamp() * 1000), before)

    async def close(self) -> None:
        """Close the connections."""
        await self.redis.aclose(close_connection_pool=True)


@asynccontextmanager
async def _reaching() -> AsyncIterator[None]:
    try:
        yield
    except TROUBLE as error:
        raise QueueUnreachable(reason=str(error) or type(error).__name__) from error
