"""Environments of the rivals' own, made the first time below the cache folder: their packages do not suit ours."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """A package that reads SenseVoice too, and what it needs to be told for that."""

    name: str
    file: str
    packages: tuple[str, ...]


SHERPA = Rival(name="sherpa-onnx", file="sherpa.py", packages=("sherpa-onnx", "soundfile", "numpy"))
FUNASR_ONNX = Rival(name="funasr-onnx", file="funasr_onnx.py", packages=("funasr-onnx", "pydub"))
RIVALS = (SHERPA, FUNASR_ONNX)


class NoEnvironment(Exception):
    """A rival cannot be installed; `str()` says why."""


def python_of(rival: Rival, cache: Path) -> str:
    """Give the Python of the rival's environment, made now if it is not there yet.

    Raises:
        NoEnvironment: it cannot be made.
    """
    folder = cache / rival.name
    python = folder / "bin/python"
    if not (folder / "whole").exists():
        _run(sys.executable, "-m", "venv", "--clear", str(folder))
        _run(str(python), "-m", "pip", "install", "--quiet", *rival.packages)
        (folder / "whole").touch()
    return str(python)


def version_of(rival: Rival, python: str) -> str:
    """Give the version that is installed."""
    program = f"from importlib.metadata import version; print(version({rival.name!r}))"
    return _run(python, "-c", program).strip()


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the caller's constants
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or ["it gave no reason"]
        raise NoEnvironment(said[-1][:200])
    return done.stdout
