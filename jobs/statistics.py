"""The figures of the queue, for those who run it."""

from collections.abc import Sequence
from typing import TypedDict

from jobs.presence import Presence
from jobs.queue import Queue
from storage.ledger import Ledger
from storage.note import State


class QueueReport(TypedDict):
    """What `earshot queue --json` prints."""

    queued: int
    processing: int
    failed: int
    workers: int
    workers_busy: int
    oldest_wait_s: float
    rtf: float | None


async def queue_report(ledger: Ledger, queue: Queue) -> QueueReport:
    """Count what waits, runs and failed, and the workers.

    Raises:
        QueueUnreachable: Redis does not answer.
    """
    return await report_with(await queue.workers(), ledger)


async def report_with(workers: Sequence[Presence], ledger: Ledger) -> QueueReport:
    """Count what waits, runs and failed, with the workers that are known to be there."""
    counts, rtf = await ledger.counts(), await ledger.speed()
    return QueueReport(
        queued=counts[State.QUEUED],
        processing=counts[State.PROCESSING],
        failed=counts[State.FAILED],
        workers=len(workers),
        workers_busy=sum(bool(worker.notes) for worker in workers),
        oldest_wait_s=round(await ledger.oldest_wait_s(), 1),
        rtf=None if rtf is None else round(rtf, 4),
    )
