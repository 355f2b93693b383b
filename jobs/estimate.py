"""Estimates a note's waiting time from its position, the measured speed, and how many notes run at once."""

from dataclasses import dataclass

from jobs.queue import Queue
from storage.ledger import Ledger
from storage.note import Note

MAX_SUMMED = 500  # notes further ahead than this are taken to be as long as these
DEFAULT_RTF = 0.15  # for a machine that has not been measured yet
LOADING_S = 10.0  # while there is no worker: one is probably loading its model
OVERHEAD_S = 1.0  # a note's time besides the engine: fetching, decoding, delivering


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitEstimate:
    """`position` is 1 for the next to run, 0 for a note that runs; `wait_s` is until the text is there."""

    position: int
    wait_s: float


async def estimate_wait(ledger: Ledger, queue: Queue, note: Note) -> WaitEstimate:
    """Estimate when the note will be transcribed; it may be about to be queued.

    Raises:
        QueueUnreachable: Redis does not answer.
    """
    rtf = await ledger.median_rtf()
    rtf = DEFAULT_RTF if rtf is None else rtf
    own_s = await ledger.total_audio_s([note.id]) * rtf + OVERHEAD_S
    ahead = await queue.ids_ahead(note)
    workers = await queue.workers()
    if ahead is None:
        return WaitEstimate(position=0, wait_s=own_s)
    running = [note_id for worker in workers for note_id in worker.notes]
    before_s = await _audio_s(ledger, ahead) + await ledger.total_audio_s(running) / 2
    at_once = max(1, sum(worker.at_once for worker in workers))
    # A note that was alone had its worker's cores to itself: the speed of such holds for one note a worker.
    parallel = min(at_once, max(len(workers), await ledger.average_concurrency()))
    loading_s = 0.0 if workers else LOADING_S
    others_s = before_s * rtf / parallel + OVERHEAD_S * len(ahead) / at_once
    return WaitEstimate(position=len(ahead) + 1, wait_s=loading_s + others_s + own_s)


async def _audio_s(ledger: Ledger, ahead: list[str]) -> float:
    if not ahead:
        return 0.0
    summed = ahead[:MAX_SUMMED]
    return await ledger.total_audio_s(summed) * len(ahead) / len(summed)
