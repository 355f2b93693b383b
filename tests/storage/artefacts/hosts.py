"""Hosts that share a ledger, each with a data folder of its own, and notes that are done on them."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from storage.artefacts.artefacts import Artefacts
from storage.artefacts.outbox import Outbox
from storage.artefacts.store import open_stores
from storage.database import Database
from storage.note import Note
from storage.tables import artefacts
from storage.telegram.ledger import TelegramLedger
from tests.storage.samples import incoming, record, transcript

KEPT = 3
SOUND = b"sound"


@dataclass
class Host:
    """A host: its data folder and what its workers do with artefacts."""

    data_dir: Path
    ledger: TelegramLedger
    artefacts: Artefacts

    async def transcribe(self, text: str = "hello", *, note: Note | None = None, is_recorded: bool = True) -> Note:
        """Take a note from its arrival, or from where it is, to its end."""
        if note is None:
            note, _ = await record(self.ledger, incoming())
        mine = await self.ledger.claim(note.id, "worker")
        assert mine is not None
        extension = await self.keep(note.id) if is_recorded else ""
        done = self.ledger.finish(
            note.id, mine.fence, transcript(text), engine_s=1, digest=note.id, recording=extension
        )
        assert await done
        return note

    async def keep(self, note_id: str) -> str:
        """Keep a recording as a worker does that has just transcribed it."""
        source = self.data_dir / "scratch.OGG"
        source.write_bytes(SOUND)
        return await self.artefacts.keep_recording(note_id, source)

    def files(self, folder: str = "artefacts") -> dict[str, bytes]:
        """Read the files in a folder of the host's, but for the folder's own name."""
        found = [path for path in (self.data_dir / folder).glob("*") if path.name != ".store"]
        return {path.name: path.read_bytes() for path in found}


def host(ledger: TelegramLedger, data_dir: Path, url: str = "", kept: int = KEPT) -> Host:
    """Set up a host."""
    data_dir.mkdir(exist_ok=True)
    return Host(data_dir, ledger, Artefacts(ledger, open_stores(url, data_dir), Outbox(data_dir), kept))


async def rows(database: Database) -> dict[str, list[str]]:
    """Give the kinds of artefacts that the ledger knows of each note, the deleted ones with a cross."""
    found: dict[str, list[str]] = {}
    async with database.reading() as connection:
        for row in await connection.execute(select(artefacts).order_by(artefacts.c.kind)):
            found.setdefault(row.note_id, []).append(f"{row.kind}{'+' if row.deleted_at else ''}")
    return found
