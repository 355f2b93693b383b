"""Files that users and the bot have sent: identifiers, size limits, and download links that expire."""

import hashlib
import itertools
import mimetypes
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from aiogram.types import Audio, Document, File, Video, VideoNote, Voice

from bot.playground.api_errors import bad_request, not_found

Kind = Literal["voice", "audio", "video", "video_note", "document"]
KINDS: tuple[Kind, ...] = ("voice", "audio", "video", "video_note", "document")
Medium = Voice | Audio | Video | VideoNote | Document

PREFIXES: dict[Kind, str] = {
    "voice": "AwAC",
    "audio": "CQAC",
    "video": "BAAC",
    "video_note": "DQAC",
    "document": "BQAC",
}
NAMES: dict[Kind, str] = {
    "voice": "Voice", "audio": "Audio", "video": "Video", "video_note": "VideoNote", "document": "Document",
}  # fmt: skip
FOLDERS: dict[Kind, str] = {
    "voice": "voice", "audio": "music", "video": "videos", "video_note": "video_notes", "document": "documents",
}  # fmt: skip
EXTENSIONS: dict[Kind, str] = {"voice": ".oga", "audio": ".mp3", "video": ".mp4", "video_note": ".mp4", "document": ""}
MIMES: dict[Kind, str] = {"voice": "audio/ogg", "audio": "audio/mpeg", "video": "video/mp4"}
MAX_DOWNLOAD = 20 * 1024 * 1024
LINK_LIFETIME_S = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file in a message; `duration` is in seconds, `length` in pixels."""

    kind: Kind
    file_id: str
    unique_id: str
    content: bytes
    name: str | None = None
    mime: str | None = None
    duration: int = 0
    length: int = 240

    def medium(self) -> Medium:
        """Give the Bot API object for it."""
        common = {"file_id": self.file_id, "file_unique_id": self.unique_id, "file_size": len(self.content)}
        named = {"file_name": self.name, "mime_type": self.mime}
        match self.kind:
            case "voice":
                return Voice.model_validate(common | {"duration": self.duration, "mime_type": self.mime})
            case "audio":
                return Audio.model_validate(common | named | {"duration": self.duration})
            case "video":
                return Video.model_validate(common | named | {"duration": self.duration, "width": 320, "height": 240})
            case "video_note":
                return VideoNote.model_validate(common | {"duration": self.duration, "length": self.length})
            case "document":
                return Document.model_validate(common | named)


@dataclass(slots=True)
class StoredFiles:
    """All files by `file_id`, and the download links given out."""

    clock: Callable[[], float]
    by_id: dict[str, StoredFile] = field(default_factory=dict)
    links: dict[str, tuple[StoredFile, float]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def add(
        self, kind: Kind, content: bytes, *, name: str | None = None, mime: str | None = None, duration: int = 0
    ) -> StoredFile:
        """Store a file that was just sent; the same content has the same `file_unique_id` and a new `file_id`."""
        digest = hashlib.sha256(content).digest()
        unique = "Ag" + urlsafe_b64encode(digest[:9]).decode()
        number = next(self._numbers)
        tail = urlsafe_b64encode(digest[:24] + number.to_bytes(6)).decode()
        guessed = mime or MIMES.get(kind) or mimetypes.guess_type(name or "")[0]
        stored = StoredFile(
            kind=kind, file_id=f"{PREFIXES[kind]}AgI{tail}", unique_id=unique, content=content, name=name,
            mime=guessed, duration=duration,
        )  # fmt: skip
        self.by_id[stored.file_id] = stored
        return stored

    def reuse(self, file_id: str, kind: Kind) -> StoredFile:
        """Find a file that the bot sends again by its `file_id`.

        Raises:
            ApiError: It is unknown or of another kind.
        """
        stored = self.by_id.get(file_id)
        if stored is None:
            raise bad_request("wrong file identifier/HTTP URL specified")
        if stored.kind != kind:
            raise bad_request(f"can't use file of type {NAMES[stored.kind]} as {NAMES[kind]}")
        return stored

    def link(self, file_id: str) -> File:
        """Make a download link that lives an hour (getFile).

        Raises:
            ApiError: The file is unknown or larger than 20 MB.
        """
        stored = self.by_id.get(file_id)
        if stored is None:
            raise bad_request("wrong file_id or the file is temporarily unavailable")
        if len(stored.content) > MAX_DOWNLOAD:
            raise bad_request("file is too big")
        path = f"{FOLDERS[stored.kind]}/file_{next(self._numbers)}{_extension(stored)}"
        self.links[path] = (stored, self.clock() + LINK_LIFETIME_S)
        return File(file_id=file_id, file_unique_id=stored.unique_id, file_size=len(stored.content), file_path=path)

    def follow(self, path: str) -> StoredFile:
        """Give the file behind a download link.

        Raises:
            ApiError: The link was never given out, or it has expired.
        """
        stored, expires = self.links.get(path, (None, 0.0))
        if stored is None:
            raise not_found()
        if expires <= self.clock():
            error = not_found()
            error.is_avoidable = False
            raise error
        return stored

    def expire_links(self) -> None:
        """Expire all download links."""
        self.links = {path: (stored, 0.0) for path, (stored, _) in self.links.items()}


def _extension(stored: StoredFile) -> str:
    if stored.name and "." in stored.name:
        tail = stored.name.rpartition(".")[2]
        return f".{tail}" if tail.isascii() and tail.isalnum() else ""
    return EXTENSIONS[stored.kind]
