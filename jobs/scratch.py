"""Folders for what is being fetched; what a dead worker left behind goes with the next try."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.note import Note


@contextmanager
def scratch_folder(parent: Path, note: Note) -> Iterator[Path]:
    """Give an empty folder for this claim of the note, and delete it in the end."""
    for left in parent.glob(f"{note.id}-*"):
        shutil.rmtree(left, ignore_errors=True)
    folder = parent / f"{note.id}-{note.fence}"
    folder.mkdir(mode=0o700, parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
