"""Folders for what is being fetched; what a dead worker left behind goes with the next try, or with its note."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.ledger import Ledger
from storage.note import Note, State


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


async def sweep(parent: Path, ledger: Ledger) -> None:
    """Delete the folders of notes that are gone, or that nobody works on."""
    folders = await asyncio.to_thread(_folders, parent)
    if not folders:
        return
    working = {note.id for note in await ledger.many([*folders.values()]) if note.state is State.PROCESSING}
    for folder, note_id in folders.items():
        if note_id not in working:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _folders(parent: Path) -> dict[Path, str]:
    """Give each folder with the id of its note."""
    return {folder: folder.name.partition("-")[0] for folder in parent.glob("*-*")}
