"""Keeps the newest recordings as files in a folder. Knows nothing of the ledger."""

import contextlib
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from time import time

NAME = re.compile(r"(?P<day>\d{4}-\d\d-\d\d)_(?P<number>\d{3,})_(?P<note>[0-9A-Za-z]+)\.(?P<ext>[a-z0-9]{1,8})")
ABANDONED_S = 3600  # no copy takes so long: a partial file this old was left by a dead worker


class Recordings:
    """A folder that holds the newest `keep` recordings."""

    def __init__(self, folder: Path, keep: int) -> None:
        """Keep up to `keep` recordings in `folder`; 0 keeps none."""
        self._folder = folder
        self._keep = keep

    def save(self, note_id: str, source: Path, ext: str) -> str | None:
        """Copy `source` into the folder and drop the oldest beyond the limit.

        Returns the file name, or None where no recordings are kept. A note keeps its name when it is saved again.
        """
        if self._keep == 0:
            self._prune()
            return None
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = self._name_of(note_id) or self._next_name(note_id, ext)
        partial = self._folder / f".{name}.part"
        try:
            shutil.copyfile(source, partial)
            partial.chmod(0o600)
            partial.replace(self._folder / name)
        finally:
            partial.unlink(missing_ok=True)
        self._prune()
        return name

    def delete(self, note_id: str) -> None:
        """Delete the recording of the note."""
        for path in self._folder.glob(f"*_{note_id}.*"):
            path.unlink(missing_ok=True)

    def _names(self) -> list[str]:
        """Return the file names of all recordings, oldest first."""
        found = [match for path in self._folder.glob("*_*_*.*") if (match := NAME.fullmatch(path.name))]
        return [match[0] for match in sorted(found, key=lambda match: (match["day"], int(match["number"]), match[0]))]

    def _name_of(self, note_id: str) -> str | None:
        return next((name for name in self._names() if f"_{note_id}." in name), None)

    def _next_name(self, note_id: str, ext: str) -> str:
        day = datetime.now(UTC).date().isoformat()
        numbers = [int(name.split("_")[1]) for name in self._names() if name.startswith(day)]
        ext = re.sub(r"[^a-z0-9]", "", ext.lower())[:8] or "bin"
        return f"{day}_{max(numbers, default=0) + 1:03}_{note_id}.{ext}"

    def _prune(self) -> None:
        names = self._names()
        for name in names[: max(0, len(names) - self._keep)]:
            (self._folder / name).unlink(missing_ok=True)
        for partial in self._folder.glob(".*.part"):
            with contextlib.suppress(FileNotFoundError):
                if time() - partial.stat().st_mtime > ABANDONED_S:
                    partial.unlink()
