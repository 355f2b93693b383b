"""Estimates a note's waiting time from its position, the measured speed, and how many notes run at once."""

from dataclasses import dataclass
from time import monotonic

from jobs.admission import expected_audio_s
from jobs.queue import Queue
from storage.ledger import Ledger
from storage.note import Note
from storage.statistics import Speed

DEFAULT_RTF = 0.15  # for a machine that has not been measured yet
LOADING_S = 10.0  # while there is no worker: one is probably loading its model
REMEASURE_S = 5.0
OVERHEAD_S = 1.0  # a note's time besides the engine: fetching, decoding, delivering


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitEstimate:
    """`position` is 1 for the next to run, 0 for a note that runs; `wait_s` is until the text is there."""

    position: int
    wait_s: float


class RecentSpeed:
    """The speed as it was some seconds ago at most, so that it is not measured for each note of many."""

    def __init__(self, ledger: Ledger) -> None:
        """Measure the notes of `ledger`."""
        self._ledger = ledger
        self._measured: tuple[float, Speed] | None = None

    async def speed(self) -> Speed:
        """Return the speed of the last notes, measured again after `REMEASURE_S`."""
        if self._measured is None or monotonic() - self._measured[0] > REMEASURE_S:
            self._measured = monotonic(), await self._ledger.speed()
        return self._measured[1]


async def estimate_wait(speed: Speed, queue: Queue, note: Note) -> WaitEstimate:
    """Estimate when the note will be transcribed at this speed; it may be about to be queued.

    Raises:
        QueueUnreachable: Redis does not answer.
    """
    rtf = DEFAULT_RTF if speed.rtf is None else speed.rtf
    own_s = expected_audio_s(note) * rtf + OVERHEAD_S
    place = await queue.place(note)
    if place is None:
        return WaitEstimate(position=0, wait_s=own_s)
    before_s = place.ahead_s + place.running_s / 2
    at_once = max(1, place.at_once)
    # A note that was alone had its worker's cores to itself: the speed of such holds for one note a worker.
    parallel = min(at_once, max(place.workers, speed.concurrency))
    loading_s = 0.0 if place.workers else LOADING_S
    others_s = before_s * rtf / parallel + OVERHEAD_S * place.ahead / at_once
    return WaitEstimate(position=place.ahead + 1, wait_s=loading_s + others_s + own_s)
