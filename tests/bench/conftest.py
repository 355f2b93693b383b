"""Runs the benchmark as `make bench` does, with a model of two megabytes."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.config.settings import PROJECT
from tests.bench.random_sensevoice import write_model

Bench = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SenseVoice folder that says something, and understands nothing."""
    folder = tmp_path_factory.mktemp("bench") / "tiny"
    write_model(folder, "tiny")
    return folder


@pytest.fixture(scope="session")
def variables(tiny: Path, starter_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a benchmark with settings of its own."""
    (config := tmp_path_factory.mktemp("settings") / "settings.toml").touch()
    others = {name: value for name, value in os.environ.items() if not name.startswith("EARSHOT_")}
    ours = {"CONFIG": str(config), "ENGINE__MODEL": str(tiny), "ENGINE__MODELS_DIR": str(starter_models_dir)}
    return others | {f"EARSHOT_{name}": value for name, value in ours.items()}


@pytest.fixture
def bench(variables: dict[str, str]) -> Bench:
    """`bench(*arguments)`: run it to its end."""

    def run(*arguments: object) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "tests.bench", *map(str, arguments)]
        return subprocess.run(
            command, cwd=PROJECT, env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )  # fmt: skip

    return run
