"""Intake: writes what a door received into the ledger, before the door acknowledges it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from jobs.estimate import RecentSpeed
from jobs.resilience import Outage, retry_until_written
from storage.door_row import DoorRow
from storage.ledger import Ledger
from storage.note import Incoming, Note
from storage.uninterruptible import run_to_end


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A note that was taken in now, or earlier under the same key; `same_audio` is another one whose text is known."""

    note: Note
    is_new: bool
    same_audio: Note | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Takes notes in for every door. `options_of` gives the hash of what a note is transcribed with."""

    ledger: Ledger
    speed: RecentSpeed
    options_of: Callable[[Note], str]
    within_s: float | None  # None: try for ever
    outage: Outage = field(default_factory=lambda: Outage("record"))

    async def submit(self, incoming: Incoming, own: DoorRow) -> Submission:
        """Write the note and the door's own row in one transaction, unless the row's key has a note already.

        It is for the door to queue the note afterwards, and for the reaper if the door does not get that far.

        Raises:
            TimeoutError: the database did not work for `within_s`.
            ValueNotStorable: no database can hold these values.
        """
        async with asyncio.timeout(self.within_s):
            return await retry_until_written(lambda: self._submit(incoming, own), self.outage)

    @run_to_end
    async def _submit(self, incoming: Incoming, own: DoorRow) -> Submission:
        async with self.ledger.transaction():
            note, is_new = await self.ledger.submit(incoming, own)
            if not is_new:
                return Submission(note=note, is_new=False)
            await self.speed.speed()  # the estimate of the note's wait, which comes next, finds it measured
            return Submission(note=note, is_new=True, same_audio=await self.find_same_audio(note))

    async def find_same_audio(self, note: Note) -> Note | None:
        """Return another note of the same audio, with the same options, whose text is known."""
        return await self.ledger.find_same_sound(note, self.options_of(note))
