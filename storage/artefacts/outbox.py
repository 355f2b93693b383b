"""Recordings of this host that are yet to be put into the store: files `<note id>.<extension>` in a folder."""

import shutil
from contextlib import suppress
from pathlib import Path

FOLDER = "outbox"
OLD_FOLDER = "recordings"  # of older versions: YYYY-MM-DD_NNN_<note id>.<extension>
AT_ONCE = 100


class Outbox:
    """The folder. Its methods block."""

    def __init__(self, data_dir: Path) -> None:
        """Use the folder in `data_dir`, which is made when it is first needed."""
        self._folder = data_dir / FOLDER
        self._old = data_dir / OLD_FOLDER

    def move_in(self, note_id: str, recording: Path, extension: str) -> None:
        """Move the recording of a note here, in place of one that is here already.

        Raises:
            OSError: the disk does not take it.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = self._folder / f".{note_id}.part"
        try:
            shutil.move(recording, partial)
            partial.chmod(0o600)
            partial.replace(self._folder / f"{note_id}.{extension}")
        finally:
            partial.unlink(missing_ok=True)

    def waiting(self) -> dict[str, Path]:
        """Return some of the recordings that are here, by the id of their note."""
        if not self._folder.is_dir():
            return {}
        return {path.stem: path for path in sorted(self._folder.glob("[!.]*.*"))[:AT_ONCE]}

    def remove(self, paths: list[Path]) -> None:
        """Delete recordings that are here."""
        for path in paths:
            path.unlink(missing_ok=True)

    def take_over_old(self) -> None:
        """Move in the recordings that an older version kept on this host."""
        for path in self._old.glob("*_*_*.*"):
            note_id = path.stem.rpartition("_")[2]
            self.move_in(note_id, path, path.suffix[1:])
        with suppress(OSError):  # it is not there, or holds something else
            self._old.rmdir()
