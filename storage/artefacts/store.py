"""The interface of a store of files, and which one the settings name."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from secrets import token_hex
from typing import Protocol
from urllib.parse import unquote

from storage.artefacts.bucket import BucketStore
from storage.artefacts.bucket_url import read_bucket_url
from storage.artefacts.folder import FolderStore
from storage.errors import ArtefactsUnreachable, ArtefactsUrlInvalid

FOLDER = "artefacts"
CHECK_LIMIT_S = 20.0
FILE_URL = "file://"


class Store(Protocol):
    """Keeps files by their keys. Every method may raise an `ArtefactsFault`: the store does not work now."""

    @property
    def where(self) -> str:
        """What messages call this store, without a login."""

    async def name(self) -> str:
        """Return what tells this store from all others, the same on every host that uses it."""

    async def put(self, key: str, content: bytes | Path) -> None:
        """Store the content under the key, in place of what is there. All of it is there afterwards, or nothing."""

    async def get(self, key: str) -> bytes | None:
        """Return what is stored under the key; None if nothing is."""

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete the files that exist under these keys."""


def open_stores(url: str, data_dir: Path) -> tuple[Store, ...]:
    """Return the store at `url`, the folder in `data_dir` if that is empty, and then others with older files.

    Raises:
        ArtefactsUrlInvalid: `url` cannot be read.
    """
    own = FolderStore(data_dir / FOLDER)
    store = _open(url) if url else own
    return (store,) if store is own or not own.exists() else (store, own)


async def check_store(store: Store) -> None:
    """Check that files can be put into the store, and deleted.

    Raises:
        ArtefactsFault: they cannot, with the remedy.
    """
    key = f".check-{token_hex(8)}"
    async with time_limit(store, CHECK_LIMIT_S):
        await store.put(key, b"")
        await store.delete([key])


@asynccontextmanager
async def time_limit(store: Store, limit_s: float) -> AsyncIterator[None]:
    """Limit what the block does with the store.

    Raises:
        ArtefactsUnreachable: it takes longer.
    """
    try:
        async with asyncio.timeout(limit_s):
            yield
    except TimeoutError:
        raise ArtefactsUnreachable(where=store.where, reason=f"no answer within {limit_s:.0f} s") from None


def _open(url: str) -> Store:
    if not url.startswith(FILE_URL):
        return BucketStore(read_bucket_url(url))
    path = Path(unquote(url.removeprefix(FILE_URL)))
    if not path.is_absolute():
        raise ArtefactsUrlInvalid(reason=f"{path} is not an absolute path, such as file:///mnt/artefacts")
    return FolderStore(path)
