"""Virtual environments for the other programs, kept below the cache folder; their packages conflict with ours."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """Another package that runs SenseVoice: its adapter, and what to install for it."""

    name: str
    file: str
    packages: tuple[str, ...]


SHERPA = Rival(name="sherpa-onnx", file="sherpa.py", packages=("sherpa-onnx", "soundfile", "numpy"))
FUNASR_ONNX = Rival(name="funasr-onnx", file="funasr_onnx.py", packages=("funasr-onnx", "pydub"))
RIVALS = (SHERPA, FUNASR_ONNX)
LONGEST_REASON = 200


class NoEnvironment(Exception):
    """A rival cannot be installed; `str()` says why."""


def python_of(rival: Rival, cache: Path) -> str:
    """Give the Python of the rival's environment, which is created if it is not there yet.

    Raises:
        NoEnvironment: it cannot be created.
    """
    folder = cache / rival.name
    python = folder / "bin/python"
    if not (folder / "complete").exists():
        _run(sys.executable, "-m", "venv", "--clear", str(folder))
        _run(str(python), "-m", "pip", "install", "--quiet", *rival.packages)
        (folder / "complete").touch()
    return str(python)


def version_of(rival: Rival, python: str) -> str:
    """Give the version that is installed."""
    program = f"from importlib.metadata import version; print(version({rival.name!r}))"
    return _run(python, "-c", program).strip()


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["it gave no reason"]
        raise NoEnvironment(lines[-1][:LONGEST_REASON])
    return done.stdout
