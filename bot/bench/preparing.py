"""What a benchmark needs before it can begin: a model, prepared for all who take part."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bot.config.settings import PROJECT

LAST_WORDS = 300


class NotPrepared(Exception):
    """A model could not be made or prepared; `str()` says why."""


def stock_model(folder: Path, size: str = "full") -> Path:
    """Give a SenseVoiceSmall folder with random weights, written now if it is not there yet.

    Raises:
        NotPrepared: it cannot be written.
    """
    if not (folder / "model.pt").exists():
        _run("bot.bench.stock_model", str(folder), size)
    return folder


def exported(folder: Path) -> bool:
    """Tell whether FunASR's own export of the model is in `folder`."""
    return (folder / "tokens.txt").exists()


def export(model: Path, folder: Path) -> None:
    """Let FunASR export the model to `folder`, for those who run its exports.

    Raises:
        NotPrepared: it cannot be exported.
    """
    _run("bot.bench.stock_model", str(model), str(folder))


def _run(module: str, *arguments: str) -> None:
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", module, *arguments], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or ["it gave no reason"]
        raise NotPrepared(said[-1][:LAST_WORDS])
