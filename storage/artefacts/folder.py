"""A store in a folder: this host's own, or one that several hosts have mounted."""

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO, TypeVar

from storage.errors import ArtefactsNotWritable

MARKER = ".store"  # holds the folder's name, which stays the same when it is moved or mounted elsewhere
PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700

Result = TypeVar("Result")


class FolderStore:
    """Implements `storage.artefacts.store.Store`."""

    def __init__(self, folder: Path) -> None:
        """Keep files in `folder`, which is made when it is first needed."""
        self._folder = folder

    def exists(self) -> bool:
        """Tell whether the folder has ever been used as a store."""
        return (self._folder / MARKER).exists()

    @property
    def where(self) -> str:
        """The path of the folder."""
        return str(self._folder)

    async def name(self) -> str:
        """Return the name that the folder was given when it was first used."""
        return await self._in_thread(self._read_or_make_name)

    async def put(self, key: str, content: bytes | Path) -> None:
        """Store the content under the key."""
        await self._in_thread(lambda: self._put(key, content))

    async def get(self, key: str) -> bytes | None:
        """Return what is stored under the key; None if nothing is."""
        return await self._in_thread(lambda: self._get(key))

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete the files that exist under these keys, and what a process that was killed left of them."""
        await self._in_thread(lambda: self._delete(keys))

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        with self._faults():
            return await asyncio.to_thread(work)

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise ArtefactsNotWritable(where=self.where, reason=reason) from error

    def _read_or_make_name(self) -> str:
        self._folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        marker = self._folder / MARKER
        if not marker.exists():
            fresh = self._folder / f"{MARKER}.{token_hex(4)}"
            fresh.write_text(f"folder {token_hex(8)}")
            with suppress(FileExistsError):  # another process was faster
                os.link(fresh, marker)
            fresh.unlink()
        return marker.read_text()

    def _put(self, key: str, content: bytes | Path) -> None:
        self._folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        partial = self._partial(key)
        partial.unlink(missing_ok=True)
        try:
            if isinstance(content, bytes):
                with _created(partial) as file:
                    file.write(content)
            else:
                _link_or_copy(content, partial)
            partial.replace(self._folder / key)
        finally:
            partial.unlink(missing_ok=True)

    def _get(self, key: str) -> bytes | None:
        path = self._folder / key
        return path.read_bytes() if path.exists() else None

    def _delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            (self._folder / key).unlink(missing_ok=True)
            self._partial(key).unlink(missing_ok=True)

    def _partial(self, key: str) -> Path:
        return self._folder / f".{key}.part"


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)  # at once, however large; what is written elsewhere under that name is a new file
    except OSError:  # on another disk
        with source.open("rb") as reading, _created(target) as file:
            shutil.copyfileobj(reading, file)


def _created(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, PRIVATE_FILE), "wb")
