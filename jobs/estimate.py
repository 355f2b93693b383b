"""How long a note will wait, from its place, the speed that was measured, and how many notes run at once."""

from dataclasses import dataclass

from jobs.queue import Queue
from storage.ledger import Ledger
from storage.note import Note

LOOKED_AT = 500  # notes further ahead than this are taken to be as long as these
USUAL_RTF = 0.15  # what to expect of a machine that has not been measured yet
LOADING_S = 10.0  # while no worker is there: one is probably loading its model
OVERHEAD_S = 1.0  # a note's way besides the engine: fetching, decoding, delivering


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """`position` is 1 for the next to run, 0 when it runs; `wait_s` is until the text is there."""

    position: int
    wait_s: float


async def outlook(ledger: Ledger, queue: Queue, note: Note) -> Outlook:
    """Estimate when the note will be transcribed; it may be about to be queued.

    Raises:
        QueueUnreachable: Redis does not answer.
    """
    rtf = await ledger.speed()
    rtf = USUAL_RTF if rtf is None else rtf
    own_s = await ledger.ahead_s([note.id]) * rtf + OVERHEAD_S
    ahead = await queue.ahead(note)
    workers = await queue.workers()
    if ahead is None:
        return Outlook(position=0, wait_s=own_s)
    running = [note_id for worker in workers for note_id in worker.notes]
    before_s = await _audio_s(ledger, ahead) + await ledger.ahead_s(running) / 2
    at_once = max(1, sum(worker.at_once for worker in workers))
    # A note that was alone had its worker's cores to itself: the speed of such holds for one note a worker.
    side_by_side = min(at_once, max(len(workers), await ledger.at_once()))
    loading_s = 0.0 if workers else LOADING_S
    others_s = before_s * rtf / side_by_side + OVERHEAD_S * len(ahead) / at_once
    return Outlook(position=len(ahead) + 1, wait_s=loading_s + others_s + own_s)


async def _audio_s(ledger: Ledger, ahead: list[str]) -> float:
    if not ahead:
        return 0.0
    looked_at = ahead[:LOOKED_AT]
    return await ledger.ahead_s(looked_at) * len(ahead) / len(looked_at)
