"""Tells the door how far the engine has come."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import structlog

from engine import Progress
from jobs.door import Door
from jobs.ending import end
from storage.note import Note

INTERVAL_S = 1.0
LAST_CALL_S = 2.0

log = structlog.get_logger()


class ProgressTeller:
    """Takes the engine's word from its thread and passes the latest of it on, about once a second."""

    def __init__(self, door: Door, note: Note) -> None:
        """Tell `door` about `note`."""
        self._door = door
        self._note = note
        self._fraction = 0.0
        self._told = 0.0
        self._over = asyncio.Event()

    def hear(self, progress: Progress) -> None:
        """Take down how far it is. Called in the engine's thread."""
        if progress.total_s > 0:
            self._fraction = min(1.0, progress.done_s / progress.total_s)

    @contextlib.asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        """Tell for as long as the block runs. No word of progress comes after it, so none overwrites the answer."""
        task = asyncio.create_task(self._tell())
        try:
            yield
        finally:
            self._over.set()
            await asyncio.wait({task}, timeout=LAST_CALL_S)
            await end(task)

    async def _tell(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), INTERVAL_S)
            if self._fraction > self._told and not self._over.is_set():
                self._told = self._fraction
                await self._pass_on()

    async def _pass_on(self) -> None:
        try:
            await self._door.progress(self._note, self._told)
        except Exception as error:  # noqa: BLE001 - progress is a courtesy; the answer matters
            log.info("progress_not_told", job=self._note.id, error=repr(error))
