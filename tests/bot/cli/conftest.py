"""Runs the program as a person does."""

import logging
import math
import os
import subprocess
import sys
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest
import structlog

from bot.__main__ import run_program

RATE = 16_000


@dataclass(frozen=True)
class Done:
    """How a command ended and what it printed."""

    returncode: int
    stdout: str
    stderr: str


class Earshot(Protocol):
    """`earshot(*arguments, VARIABLE=value)`."""

    def __call__(self, *arguments: object, **more: str) -> Done:
        """Run the program to its end."""


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    """Settings of the test's own, with a data folder of its own."""
    (tmp_path / "settings.toml").touch()
    return {
        "EARSHOT_CONFIG": str(tmp_path / "settings.toml"),
        "EARSHOT_DATA_DIR": str(tmp_path / "data"),
        "EARSHOT_ENGINE__MODELS_DIR": str(tmp_path / "models"),
        "EARSHOT_ENGINE__MODEL": "fake",
    }


@pytest.fixture
def log_as_before() -> Iterator[None]:
    """Take back what a command does to the log of this process."""
    root, structured = logging.getLogger(), structlog.get_config()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.configure(**structured)


@pytest.fixture
def earshot(
    variables: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    log_as_before: None,  # noqa: ARG001 - asked for what it takes back
) -> Earshot:
    """The program in this process, which saves it the start."""

    def run(*arguments: object, **more: str) -> Done:
        with monkeypatch.context() as patch:
            patch.chdir(tmp_path)
            for name in [name for name in os.environ if name.startswith("EARSHOT_")]:
                patch.delenv(name)
            for name, value in (variables | more).items():
                patch.setenv(name, value)
            code = run_program([str(argument) for argument in arguments])
        said = capfd.readouterr()
        return Done(code, said.out, said.err)

    return run


@pytest.fixture
def earshot_process(variables: dict[str, str]) -> Earshot:
    """The program in a process of its own."""

    def run(*arguments: object, **more: str) -> Done:
        others = {name: value for name, value in os.environ.items() if not name.startswith("EARSHOT_")}
        command = [sys.executable, "-m", "bot", *map(str, arguments)]
        done = subprocess.run(
            command, env=others | variables | more, capture_output=True, text=True, check=False, timeout=110,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def tone(tmp_path: Path) -> Callable[[str, float], Path]:
    """`tone(name, seconds)`: a file with a tone."""

    def write(name: str, seconds: float) -> Path:
        path = tmp_path / name
        samples = (round(9000 * math.sin(n / 6)) for n in range(round(RATE * seconds)))
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples))
        return path

    return write
