"""Downloads a model's files over HTTP from the model hub that answers first; resumes each file and checks it.

Why not with the hubs' own libraries: docs/decisions/0006-own-client-of-model-hubs.md.
"""

from __future__ import annotations

import http.client
import json
import os
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath
from queue import Empty, SimpleQueue
from time import monotonic, sleep

from engine.errors import DownloadBroken, HubUnreachable
from engine.hub.downloads import OnDownload, check_file
from engine.hub.sources import RemoteFile, Repository

MODELSCOPE_REVISION = "master"
PROBE_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 8.0  # for all hubs together
STALL_TIMEOUT_S = 60.0
TRIES = 5
BLOCK_BYTES = 1 << 18
UNNEEDED = {".md", ".onnx", ".wav", ".mp3", ".png", ".jpg", ".gitattributes", ".gitignore"}


def download_repository(repository: Repository, folder: Path, *, name: str, on_progress: OnDownload) -> None:
    """Download all files of `repository` into `folder`, and continue what an earlier try left there.

    The proxy settings of the environment count, and MODELSCOPE_ENDPOINT and HF_ENDPOINT, as for the hubs' libraries.

    Raises:
        HubUnreachable: no hub answered within ANSWER_TIMEOUT_S.
        DownloadBroken: a file broke off or stalled TRIES times, or is not the one that was published.
    """
    for file in _first_listing(repository, name):
        target = folder / file.path
        target.parent.mkdir(exist_ok=True)
        _download(file, target, on_progress)
        if sha256 := repository.sha256.get(file.path, file.sha256):
            check_file(target, name=file.path, sha256=sha256)


def _first_listing(repository: Repository, name: str) -> tuple[RemoteFile, ...]:
    """Ask all hubs at once and take the first answer. In threads, because looking up a host name has no time limit."""
    answers: SimpleQueue[tuple[RemoteFile, ...]] = SimpleQueue()
    listings = (
        (repository.modelscope, _list_modelscope),
        (repository.huggingface, _list_huggingface),
        (repository.files, _list_plain_files),
    )
    asked = [listing for is_published, listing in listings if is_published]
    for listing in asked:
        threading.Thread(target=_answer, args=(listing, repository, answers), daemon=True).start()
    deadline = monotonic() + ANSWER_TIMEOUT_S
    with suppress(Empty):
        for _ in asked:
            if files := answers.get(timeout=max(0, deadline - monotonic())):
                return files
    raise HubUnreachable(model=name)


def _answer(
    listing: Callable[[Repository], tuple[RemoteFile, ...]],
    repository: Repository,
    answers: SimpleQueue[tuple[RemoteFile, ...]],
) -> None:
    """Put a hub's list of files into `answers`, or an empty one where none comes or it is something else."""
    files: tuple[RemoteFile, ...] = ()
    with suppress(OSError, http.client.HTTPException, ValueError, TypeError, AttributeError, LookupError):
        files = listing(repository)
    answers.put(files)


def _list_modelscope(repository: Repository) -> tuple[RemoteFile, ...]:
    hub = os.environ.get("MODELSCOPE_ENDPOINT", "https://www.modelscope.cn").rstrip("/")
    address = f"{hub}/api/v1/models/{repository.modelscope}/repo"
    recursive = "&Recursive=true" if repository.subfolders else ""
    listing = json.loads(_read(f"{address}/files?Revision={MODELSCOPE_REVISION}{recursive}"))
    return tuple(
        RemoteFile(
            path=file["Path"],
            url=f"{address}?Revision={MODELSCOPE_REVISION}&FilePath={urllib.parse.quote(file['Path'])}",
            size=int(file["Size"]),
            sha256=file.get("Sha256") or "",
        )
        for file in listing["Data"]["Files"]
        if file["Type"] != "tree" and _is_needed(file["Path"], repository.subfolders)
    )


def _list_huggingface(repository: Repository) -> tuple[RemoteFile, ...]:
    hub = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    revision = repository.huggingface_revision
    recursive = "?recursive=true" if repository.subfolders else ""
    listing = json.loads(_read(f"{hub}/api/models/{repository.huggingface}/tree/{revision}{recursive}"))
    return tuple(
        RemoteFile(
            path=file["path"],
            url=f"{hub}/{repository.huggingface}/resolve/{revision}/{urllib.parse.quote(file['path'])}",
            size=int(file["size"]),
            sha256=file["lfs"]["oid"] if file.get("lfs") else "",
        )
        for file in listing
        if file["type"] == "file" and _is_needed(file["path"], repository.subfolders)
    )


def _list_plain_files(repository: Repository) -> tuple[RemoteFile, ...]:
    return tuple(replace(file, size=_remote_size(file.url)) for file in repository.files)


def _remote_size(url: str) -> int:
    with _open(url, method="HEAD", timeout=PROBE_TIMEOUT_S) as answer:
        return int(answer.headers["Content-Length"])


def _is_needed(path: str, subfolders: tuple[str, ...]) -> bool:
    folder, _, name = path.rpartition("/")
    return folder in ("", *subfolders) and PurePosixPath(name).suffix not in UNNEEDED and name not in UNNEEDED


def _read(url: str) -> bytes:
    with _open(url, timeout=PROBE_TIMEOUT_S) as answer:
        return answer.read()


def _open(url: str, *, timeout: float, method: str = "GET", begin: int = 0) -> http.client.HTTPResponse:
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"Not a web address: {url}")
    headers = {"User-Agent": "earshot"} | ({"Range": f"bytes={begin}-"} if begin else {})
    request = urllib.request.Request(url, method=method, headers=headers)  # noqa: S310 - checked above
    answer: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=timeout)  # noqa: S310 - as above
    return answer


def _download(file: RemoteFile, target: Path, on_progress: OnDownload) -> None:
    target.touch()
    reason = "the connection broke off"
    for attempt in range(TRIES):
        if target.stat().st_size >= file.size:
            break
        sleep(attempt)
        try:
            _continue(file, target, on_progress)
        except (OSError, http.client.HTTPException) as broken:
            reason = str(broken)
    size = target.stat().st_size
    if size < file.size:
        raise DownloadBroken(file=file.path, reason=reason)
    if size > file.size:
        target.unlink()
        raise DownloadBroken(file=file.path, reason="it is larger than the one that was published")


def _continue(file: RemoteFile, target: Path, on_progress: OnDownload) -> None:
    done = target.stat().st_size
    with _open(file.url, timeout=STALL_TIMEOUT_S, begin=done) as answer:
        done = done if answer.status == http.client.PARTIAL_CONTENT else 0
        with target.open("ab" if done else "wb") as kept:
            while block := answer.read(BLOCK_BYTES):
                kept.write(block)
                done += len(block)
                on_progress(file.path, done, file.size)
