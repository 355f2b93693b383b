"""Puts what is to be kept of notes into the store, and deletes what is not. No note waits for any of it."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import structlog

from engine import render
from storage.artefacts.artefact import Artefact, safe_extension
from storage.artefacts.outbox import Outbox
from storage.artefacts.store import Store, time_limit
from storage.errors import ArtefactsFault, BucketMissing
from storage.ledger import Ledger

AT_ONCE = 8
TEXT_LIMIT_S = 60.0
RECORDING_LIMIT_S = 600.0
DELETE_LIMIT_S = 120.0
GET_LIMIT_S = 30.0

Step = Callable[[], Awaitable[int]]

log = structlog.get_logger()


class Artefacts:
    """The artefacts of a host: its recordings on their way into the store, and the sweep that any host may run."""

    def __init__(self, ledger: Ledger, stores: tuple[Store, ...], outbox: Outbox, max_recordings: int) -> None:
        """Put new files into the first of `stores`; the others hold only older ones, to be deleted one day.

        `max_recordings` is how many recordings are kept; 0 keeps none.
        """
        self._ledger = ledger
        self._store, *_ = self._stores = stores
        self._outbox = outbox
        self._max_recordings = max_recordings
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def keep_recording(self, note_id: str, recording: Path) -> str:
        """Move the recording of a note to where it waits for the store; return its extension, empty if none is kept.

        Raises:
            OSError: the disk does not take it.
        """
        if self._max_recordings == 0:
            return ""
        extension = safe_extension(recording.suffix)
        await asyncio.to_thread(self._outbox.move_in, note_id, recording, extension)
        return extension

    async def recording(self, note_id: str, max_bytes: int) -> tuple[str, bytes] | None:
        """Return file name and content of the recording of a note; None if none is kept here, or a larger one is.

        Raises:
            ArtefactsFault: the store does not work now.
        """
        if (found := await self._ledger.stored_recording(note_id, max_bytes)) is None:
            return None
        stores = {await store.name(): store for store in self._stores}
        if (store := stores.get(found.store)) is None:
            return None
        async with time_limit(store, GET_LIMIT_S):
            content = await store.get(found.key)
        return None if content is None else (found.key, content)

    async def take_over_old_recordings(self) -> None:
        """Take over the recordings that an older version kept on this host."""
        try:
            await asyncio.to_thread(self._outbox.take_over_old)
        except OSError as error:
            log.warning("recordings_not_taken_over", error=str(error))

    async def sweep(self) -> None:
        """Write what is missing in the store and delete what is to go, as far as no other host is at it.

        Raises:
            ArtefactsFault: a store does not work now; what could not be done comes again with a later call.
        """
        faults: list[ArtefactsFault] = []
        await _attempt(self._put_recordings, faults)
        while await self._has_work():
            steps = (self._write_texts, self._expire, self._delete_marked)
            handled = [await _attempt(step, faults) for step in steps]
            if faults or not any(handled):
                break
        if faults:
            raise faults[0]

    async def _has_work(self) -> bool:
        names = [await store.name() for store in self._stores]
        return await self._ledger.has_artefact_work(names, self._max_recordings)

    async def _put_recordings(self) -> int:
        """Put the recordings that wait on this host into the store; delete those that it has, or shall not have."""
        waiting = await asyncio.to_thread(self._outbox.waiting)
        if not waiting:
            return 0
        # In this order: a note that has ended has its row by then.
        unfinished = {note.id for note in await self._ledger.get_many([*waiting]) if not note.state.is_final}
        store = await self._store.name()
        awaited = await self._ledger.awaited_recordings(store, waiting)
        obsolete = [path for note_id, path in waiting.items() if note_id not in awaited | unfinished]
        await asyncio.to_thread(self._outbox.remove, obsolete)
        claimed = await self._ledger.claim_recordings(store, [*awaited])
        return await self._put({one: waiting[one.note_id] for one in claimed}, RECORDING_LIMIT_S)

    async def _write_texts(self) -> int:
        claimed = await self._ledger.claim_unwritten(await self._store.name())
        transcripts = await self._ledger.transcripts_of({one.note_id for one in claimed})
        texts = {one: render(transcripts[one.note_id], one.kind) for one in claimed if one.note_id in transcripts}
        await self._ledger.postpone_artefacts([one for one in claimed if one not in texts])
        return await self._put({one: text.encode() for one, text in texts.items()}, TEXT_LIMIT_S)

    async def _expire(self) -> int:
        return await self._ledger.expire_artefacts(self._max_recordings)

    async def _delete_marked(self) -> int:
        stores = {await store.name(): store for store in self._stores}
        claimed = await self._ledger.claim_deleted([*stores])
        gone = [one for one in claimed if not one.store]
        try:
            for name, store in stores.items():
                if here := [one for one in claimed if one.store == name]:
                    async with time_limit(store, DELETE_LIMIT_S):
                        await store.delete([one.key for one in here])
                    gone += here
        finally:
            await self._ledger.forget_artefacts(gone)
            await self._ledger.postpone_artefacts([one for one in claimed if one not in gone])
        return len(gone)

    async def _put(self, contents: Mapping[Artefact, bytes | Path], limit_s: float) -> int:
        """Put claimed artefacts into the store, several at a time; let go of those that it does not take.

        Raises:
            ArtefactsFault: the store does not work now.
        """
        stored: dict[Artefact, tuple[int, str]] = {}
        faults: list[ArtefactsFault] = []

        async def put(artefact: Artefact, content: bytes | Path) -> None:
            async with self._slots:
                if faults:
                    return  # the others wait until the store works again
                try:
                    measures = await asyncio.to_thread(_measure, content)
                    async with time_limit(self._store, limit_s):
                        await self._store.put(artefact.key, content)
                    stored[artefact] = measures
                except ArtefactsFault as fault:
                    faults.append(fault)
                except OSError as error:
                    log.warning("recording_not_kept", job=artefact.note_id, error=str(error))

        try:
            await asyncio.gather(*(put(artefact, content) for artefact, content in contents.items()))
        finally:
            others = [artefact for artefact in contents if artefact not in stored]
            are_nowhere = any(isinstance(fault, BucketMissing) for fault in faults)
            await self._ledger.postpone_artefacts(others, are_nowhere=are_nowhere)
            await self._mark_stored(stored)
        if faults:
            raise faults[0]
        return len(stored)

    async def _mark_stored(self, stored: Mapping[Artefact, tuple[int, str]]) -> None:
        if unknown := await self._ledger.mark_stored(stored):
            await self._store.delete([artefact.key for artefact in unknown])


async def _attempt(step: Step, faults: list[ArtefactsFault]) -> int:
    """Take a step although a store may not work now: the next one may be about another store."""
    try:
        return await step()
    except ArtefactsFault as fault:
        faults.append(fault)
        return 0


def _measure(content: bytes | Path) -> tuple[int, str]:
    """Return the number of bytes and their SHA-256."""
    if isinstance(content, bytes):
        return len(content), hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return content.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()
