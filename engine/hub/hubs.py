"""Downloads files from model hubs over plain HTTP: whichever hub answers first, each file resumed and checked."""

from __future__ import annotations

import http.client
import os
import queue
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, Field, TypeAdapter

from engine.errors import DownloadBroken, HubUnreachable
from engine.hub.downloads import OnDownload, check_file
from engine.hub.sources import RemoteFile, Repository

PROBE_S = 5.0
ANSWER_S = 8.0  # for all hubs together
STALL_S = 60.0
TRIES = 5
BLOCK_BYTES = 1 << 18
UNNEEDED = {".md", ".onnx", ".wav", ".mp3", ".png", ".jpg", ".gitattributes", ".gitignore"}


def download_repository(repository: Repository, folder: Path, *, name: str, on_progress: OnDownload) -> None:
    """Download all files of `repository` into `folder`, going on where an earlier try broke off.

    Raises:
        HubUnreachable: no hub answered in time.
        DownloadBroken: a file broke off again and again, or is not the one that was published.
    """
    for file in _first_listing(repository, name):
        sha256 = repository.sha256.get(file.path, file.sha256)
        target = folder / file.path
        target.parent.mkdir(exist_ok=True)
        _download(file, target, sha256, on_progress)


def _first_listing(repository: Repository, name: str) -> tuple[RemoteFile, ...]:
    """Ask all hubs at once and take the first answer. Threads, because a lookup of a name knows no time limit."""
    answers: queue.SimpleQueue[tuple[RemoteFile, ...]] = queue.SimpleQueue()
    asked = _listings(repository)
    for ask in asked:
        threading.Thread(target=lambda ask=ask: answers.put(_files_or_none(ask)), daemon=True).start()
    deadline = time.monotonic() + ANSWER_S
    try:
        for _ in asked:
            if files := answers.get(timeout=max(0, deadline - time.monotonic())):
                return files
    except queue.Empty:
        pass
    raise HubUnreachable(model=name)


def _listings(repository: Repository) -> list[Callable[[], tuple[RemoteFile, ...]]]:
    asked: list[Callable[[], tuple[RemoteFile, ...]]] = []
    if repository.modelscope:
        asked.append(lambda: _on_modelscope(repository))
    if repository.huggingface:
        asked.append(lambda: _on_huggingface(repository))
    if repository.files:
        asked.append(lambda: _on_plain_server(repository.files))
    return asked


def _files_or_none(ask: Callable[[], tuple[RemoteFile, ...]]) -> tuple[RemoteFile, ...]:
    try:
        return ask()
    except (OSError, http.client.HTTPException, ValueError, TypeError):
        return ()


class _ModelScopeFile(BaseModel):
    path: str = Field(alias="Path")
    kind: str = Field(alias="Type")
    size: int = Field(alias="Size")
    sha256: str | None = Field(default=None, alias="Sha256")


class _ModelScopeFiles(BaseModel):
    files: list[_ModelScopeFile] = Field(alias="Files")


class _ModelScopeListing(BaseModel):
    found: _ModelScopeFiles = Field(alias="Data")


def _on_modelscope(repository: Repository) -> tuple[RemoteFile, ...]:
    hub = os.environ.get("MODELSCOPE_ENDPOINT", "https://www.modelscope.cn").rstrip("/")
    address = f"{hub}/api/v1/models/{repository.modelscope}/repo"
    deep = "&Recursive=true" if repository.subfolders else ""
    listing = _ModelScopeListing.model_validate_json(_read(f"{address}/files?Revision=master{deep}"))
    return tuple(
        RemoteFile(
            path=file.path,
            url=f"{address}?Revision=master&FilePath={urllib.parse.quote(file.path)}",
            size=file.size,
            sha256=file.sha256 or "",
        )
        for file in listing.found.files
        if file.kind != "tree" and _is_needed(file.path, repository.subfolders)
    )


class _LargeFile(BaseModel):
    oid: str


class _HuggingFaceFile(BaseModel):
    path: str
    type: str
    size: int = 0
    lfs: _LargeFile | None = None


_huggingface_listing = TypeAdapter(list[_HuggingFaceFile])


def _on_huggingface(repository: Repository) -> tuple[RemoteFile, ...]:
    hub = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    deep = "?recursive=true" if repository.subfolders else ""
    listing = _huggingface_listing.validate_json(_read(f"{hub}/api/models/{repository.huggingface}/tree/main{deep}"))
    return tuple(
        RemoteFile(
            path=file.path,
            url=f"{hub}/{repository.huggingface}/resolve/main/{urllib.parse.quote(file.path)}",
            size=file.size,
            sha256=file.lfs.oid if file.lfs else "",
        )
        for file in listing
        if file.type == "file" and _is_needed(file.path, repository.subfolders)
    )


def _on_plain_server(files: tuple[RemoteFile, ...]) -> tuple[RemoteFile, ...]:
    return tuple(replace(file, size=_size(file.url)) for file in files)


def _size(url: str) -> int:
    with _open(url, method="HEAD", timeout=PROBE_S) as answer:
        return int(answer.headers["Content-Length"])


def _is_needed(path: str, folders: tuple[str, ...]) -> bool:
    folder, _, name = path.rpartition("/")
    return folder in ("", *folders) and PurePosixPath(name).suffix not in UNNEEDED and name not in UNNEEDED


def _read(url: str) -> bytes:
    with _open(url, timeout=PROBE_S) as answer:
        return answer.read()


def _open(url: str, *, timeout: float, method: str = "GET", begin: int = 0) -> http.client.HTTPResponse:
    """Open an address. The proxy settings of the environment hold."""
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"Not a web address: {url}")
    headers = {"User-Agent": "earshot"} | ({"Range": f"bytes={begin}-"} if begin else {})
    request = urllib.request.Request(url, method=method, headers=headers)  # noqa: S310 - checked above
    answer: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=timeout)  # noqa: S310 - as above
    return answer


def _download(file: RemoteFile, target: Path, sha256: str, on_progress: OnDownload) -> None:
    reason = "the connection broke off"
    for attempt in range(TRIES):
        if _bytes_of(target) >= file.size:
            break
        time.sleep(attempt)
        try:
            _continue(file, target, on_progress)
        except (OSError, http.client.HTTPException) as broken:
            reason = str(broken)
    if _bytes_of(target) < file.size:
        raise DownloadBroken(file=file.path, reason=reason)
    if _bytes_of(target) > file.size:
        target.unlink()
        raise DownloadBroken(file=file.path, reason="it is larger than the one that was published")
    if sha256:
        check_file(target, sha256=sha256)


def _continue(file: RemoteFile, target: Path, on_progress: OnDownload) -> None:
    done = _bytes_of(target)
    with _open(file.url, timeout=STALL_S, begin=done) as answer:
        done = done if answer.status == http.client.PARTIAL_CONTENT else 0
        with target.open("ab" if done else "wb") as kept:
            while block := answer.read(BLOCK_BYTES):
                kept.write(block)
                done += len(block)
                on_progress(file.path, done, file.size)


def _bytes_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
