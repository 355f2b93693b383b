import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.settings import EngineSettings
from engine.speech import Engine
from tests.engine.folders import write_sensevoice


@pytest.fixture(scope="session")
def starter(starter_models_dir: Path) -> Engine:
    return Engine.open(EngineSettings(model="starter", models_dir=starter_models_dir, threads=1))


@pytest.fixture(scope="session")
def sensevoice(shared: Path, starter_models_dir: Path) -> Engine:
    """A stock SenseVoiceSmall folder, with weights that know some Chinese."""
    folder = shared / "models/sensevoice-charctc"
    return Engine.open(EngineSettings(model=str(folder), models_dir=starter_models_dir, threads=1))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SenseVoice folder with small random weights."""
    return write_sensevoice(tmp_path_factory.mktemp("tiny") / "sensevoice")


@pytest.fixture(scope="session")
def exports_dir(tmp_path_factory: pytest.TempPathFactory, starter_models_dir: Path) -> Path:
    """A models_dir with what every model needs, and exports of this test run: each network is written once."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "fsmn-vad").symlink_to(starter_models_dir / "fsmn-vad")
    return folder


@pytest.fixture
def gigabytes(tmp_path: Path) -> Iterator[Path]:
    """Give a folder that is gone after the test: pytest keeps those of its last runs."""
    yield tmp_path
    shutil.rmtree(tmp_path)
