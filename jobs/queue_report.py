"""The queue's numbers for those who run it: what waits, what runs, what failed, and the workers."""

from collections.abc import Sequence
from typing import TypedDict

from jobs.queue import Queue
from jobs.worker_registry import WorkerInfo
from storage.ledger import Ledger
from storage.note import State


class QueueReport(TypedDict):
    """What `earshot queue --json` prints."""

    queued: int
    processing: int
    failed: int
    dead_letters: int
    workers: int
    workers_busy: int
    oldest_wait_s: float
    rtf: float | None


async def queue_report(ledger: Ledger, queue: Queue) -> QueueReport:
    """Count waiting, running and failed notes, and the live workers.

    Raises:
        QueueUnreachable: Redis does not answer.
    """
    return await report_for_workers(await queue.workers(), ledger)


async def report_for_workers(workers: Sequence[WorkerInfo], ledger: Ledger) -> QueueReport:
    """Count waiting, running and failed notes; the workers are given, as where Redis does not answer."""
    counts, rtf = await ledger.counts_by_state(), (await ledger.speed()).rtf
    return QueueReport(
        queued=counts[State.QUEUED],
        processing=counts[State.PROCESSING],
        failed=counts[State.FAILED],
        dead_letters=await ledger.count_dead_letters(),
        workers=len(workers),
        workers_busy=sum(bool(worker.notes) for worker in workers),
        oldest_wait_s=round(await ledger.oldest_wait_s(), 1),
        rtf=None if rtf is None else round(rtf, 4),
    )
