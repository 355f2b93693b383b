"""Makes the model that all contestants run, and FunASR's own export of it, in child processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bot.config.settings import PROJECT

LONGEST_REASON = 300


class ModelSetupFailed(Exception):
    """A model could not be written or exported; `str()` says why."""


def random_sensevoice(folder: Path, size: str = "full") -> Path:
    """Give a SenseVoiceSmall folder with random weights, written now if it is not there yet.

    Raises:
        ModelSetupFailed: it cannot be written.
    """
    if not (folder / "model.pt").exists():
        _run("tests.bench.random_sensevoice", str(folder), size)
    return folder


def is_exported(folder: Path) -> bool:
    """Tell whether FunASR's own export of the model is in `folder`."""
    return (folder / "tokens.txt").exists()


def export_with_funasr(model: Path, folder: Path) -> None:
    """Let FunASR export the model to `folder`, for the contestants that run such exports.

    Raises:
        ModelSetupFailed: it cannot be exported.
    """
    _run("tests.bench.funasr_export", str(model), str(folder))


def _run(module: str, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["it gave no reason"]
        raise ModelSetupFailed(lines[-1][:LONGEST_REASON])
