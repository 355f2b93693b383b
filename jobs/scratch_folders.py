"""Temporary folders for fetched audio; what a dead worker left behind goes with the next try, or with its note.

Transcription makes them and the worker sweeps them: both go by the folder's name, `<note id>-<fence>`.
"""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.ledger import Ledger
from storage.note import Note, State


@contextmanager
def scratch_folder(parent: Path, note: Note) -> Iterator[Path]:
    """Make an empty folder for this claim of the note, and delete it at the end."""
    for left in parent.glob(f"{note.id}-*"):
        shutil.rmtree(left, ignore_errors=True)
    folder = parent / f"{note.id}-{note.fence}"
    folder.mkdir(mode=0o700, parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def sweep(parent: Path, ledger: Ledger) -> None:
    """Delete the folders of notes that are gone, or that no worker works on."""
    folders = await asyncio.to_thread(_folders, parent)
    if not folders:
        return
    running = {note.id for note in await ledger.get_many([*folders.values()]) if note.state is State.PROCESSING}
    for folder, note_id in folders.items():
        if note_id not in running:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _folders(parent: Path) -> dict[Path, str]:
    """Return each folder with the id of its note."""
    return {folder: folder.name.partition("-")[0] for folder in parent.glob("*-*")}
