"""A door for tests: what comes in lies on the disk, and what goes out is written down, one line each."""

import json
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

from engine.transcript import Transcript
from storage.note import Failure, Note
from storage.telegram.ledger import TelegramLedger
from storage.telegram.message import door_of_bot
from tests.storage.samples import BOT, known


@dataclass
class FileDoor:
    """`file_id` is a path. `troubles` are raised by the next deliveries, one each."""

    journal: Path
    ledger: TelegramLedger
    troubles: list[Exception] = field(default_factory=list)
    fetches: list[Exception] = field(default_factory=list)
    bot_id: int = BOT

    @property
    def name(self) -> str:
        return door_of_bot(self.bot_id)

    async def look_up(self, note: Note) -> None:
        """Read nothing: `fetch` asks the ledger."""

    async def fetch(self, note: Note, folder: Path) -> Path:
        self._write("fetch", note)
        if self.fetches:
            raise self.fetches.pop(0)
        return Path(shutil.copy((await known(self.ledger, note)).file_id, folder))

    async def progress(self, note: Note, fraction: float) -> None:
        self._write("progress", note, fraction=fraction)

    async def done(self, note: Note, transcript: Transcript) -> None:
        self._write("done", note, text=" ".join(segment.text for segment in transcript.segments))
        self._raise()

    async def failed(self, note: Note, failure: Failure) -> None:
        self._write("failed", note, code=failure.code)
        self._raise()

    def events(self, what: str = "", note_id: str = "") -> list[dict[str, str | float]]:
        if not self.journal.exists():
            return []
        events = [json.loads(line) for line in self.journal.read_text().splitlines()]
        return [event for event in events if what in {"", event["what"]} and note_id in {"", event["note"]}]

    def _raise(self) -> None:
        if self.troubles:
            raise self.troubles.pop(0)

    def _write(self, what: str, note: Note, **values: str | float) -> None:
        event = {"what": what, "note": note.id, "fence": note.fence, "bot": self.bot_id, "at": time.time(), **values}
        with self.journal.open("a") as journal:
            journal.write(json.dumps(event) + "\n")
