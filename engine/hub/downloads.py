"""What every download shares: how progress is reported, and the check of a finished file."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from engine.errors import DownloadBroken

OnDownload = Callable[[str, int, int], None]
"""Called again and again with the name of a file or package, the bytes that are there, and all its bytes."""


def check_file(path: Path, *, name: str, sha256: str) -> None:
    """Check a downloaded file, which messages call `name`, and delete it if its content is another one.

    Raises:
        DownloadBroken: the file has another SHA-256.
    """
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        path.unlink()
        raise DownloadBroken(file=name, reason="its SHA-256 is not the one that was published")
