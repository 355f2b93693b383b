"""Estimates a note's waiting time from its position, the measured speed, and how many notes run at once."""

from dataclasses import dataclass

from jobs.admission import expected_audio_s
from jobs.queue import Queue
from storage.ledger import Ledger
from storage.note import Note

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
    own_s = expected_audio_s(note) * rtf + OVERHEAD_S
    place = await queue.place(note)
    if place is None:
        return WaitEstimate(position=0, wait_s=own_s)
    before_s = place.ahead_s + place.running_s / 2
    at_once = max(1, place.at_once)
    # A note that was alone had its worker's cores to itself: the speed of such holds for one note a worker.
    parallel = min(at_once, max(place.workers, await ledger.average_concurrency()))
    loading_s = 0.0 if place.workers else LOADING_S
    others_s = before_s * rtf / parallel + OVERHEAD_S * place.ahead / at_once
    return WaitEstimate(position=place.ahead + 1, wait_s=loading_s + others_s + own_s)
