import asyncio
import gc
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

import bot  # noqa: F401 - before a test imports aiogram, which takes four times as long without it
from engine.hub.pull import pull, pull_sample
from engine.settings import default_models_dir
from jobs.redis_server import RedisServer
from storage.database import open_database

LONG = (  # those that wait between those that compute
    "tests/chaos/test_any_instruction.py",
    "tests/end_to_end/test_s",
    "tests/engine/recognizers",
    "tests/end_to_end",
    "tests/bot/chat",
    "tests/chaos",
    "tests/engine",
    "tests/jobs",
    "",
)

# Threads of torch that wait for each other keep their cores busy with it, which other processes of the tests need.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

TOGETHER = {  # what takes many seconds of computing to be imported; the files that do are run by one process of xdist
    "FunASR": (
        "tests/engine/audio/test_fbank.py",
        "tests/engine/recognizers/test_fun",
        "tests/engine/recognizers/test_paraformer.py",
        "tests/engine/recognizers/test_prepared.py",
        "tests/engine/recognizers/test_registry.py",
        "tests/engine/recognizers/test_sensevoice_",
        "tests/engine/speakers/test_campplus_onnx.py",
        "tests/engine/vad/test_detector.py",
        "tests/engine/vad/test_endpointing.py",
    ),
    "Whisper": (
        "tests/bot/cli/test_bench.py",
        "tests/bot/cli/test_transcribe.py",
        "tests/engine/recognizers/test_whisper.py",
        "tests/engine/speakers/test_embeddings.py",
        "tests/engine/test_speech.py",
        "tests/engine/test_times.py",
    ),
}

gc.disable()  # until all is imported

settings.register_profile("busy machine", deadline=None)
settings.load_profile("busy machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what takes long first, so that no process of xdist is left with it at the end while the others are idle."""
    items.sort(key=lambda item: next(place for place, start in enumerate(LONG) if item.nodeid.startswith(start)))


class FilesTogether(LoadFileScheduling):  # type: ignore[misc] # xdist ships no types
    """Gives each file to one process, and those that import the same to the same."""

    def _split_scope(self, nodeid: str) -> str:
        alone: str = super()._split_scope(nodeid)
        return next((name for name, files in TOGETHER.items() if nodeid.startswith(files)), alone)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FilesTogether:
    return FilesTogether(config, log)


def pytest_collection_finish() -> None:
    """Spare the garbage collector what was imported: it lives until the end."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def shared() -> Path:
    """Clips and models that only some machines have; a test that needs them is skipped elsewhere."""
    folder = Path(__file__).resolve().parents[1] / "../shared"
    if not folder.is_dir():
        pytest.skip("needs ../shared")
    return folder.resolve()


@pytest.fixture(scope="session")
def starter_models_dir() -> Path:
    """Where the starter model is, fetched once for all test runs and for `make demo` alike."""
    folder = Path(os.environ.get("EARSHOT_ENGINE__MODELS_DIR") or default_models_dir())
    pull("starter", folder, on_progress=lambda *_: None)
    return folder


@pytest.fixture(scope="session")
def sample(starter_models_dir: Path) -> Path:
    """Give the sample voice note: ten seconds of English."""
    return pull_sample(starter_models_dir)


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the SQLite file of a ledger without notes, to be copied: most tests take less time than its migrations."""
    folder = tmp_path_factory.mktemp("empty")
    asyncio.run(_create_ledger(folder))
    return folder / "earshot.db"


async def _create_ledger(folder: Path) -> None:
    await (await open_database("", folder)).close()


@pytest.fixture
def data_dir(empty_ledger: Path, tmp_path: Path) -> Path:
    """Give the test's folder with a ledger without notes in it."""
    shutil.copy(empty_ledger, tmp_path)
    return tmp_path


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    """Run a Redis of the test's own."""
    server = RedisServer(tmp_path)
    await server.start()
    yield server
    await server.stop()
