import gc
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import settings

import bot  # noqa: F401 - before a test imports aiogram, which takes four times as long without it
from engine.hub.pull import pull, pull_sample
from engine.settings import default_models_dir
from jobs.redis_server import RedisServer

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

settings.register_profile("busy machine", deadline=None)
settings.load_profile("busy machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what takes long first, so that no process of xdist is left with it at the end while the others are idle."""
    items.sort(key=lambda item: next(place for place, start in enumerate(LONG) if item.nodeid.startswith(start)))


def pytest_collection_finish() -> None:
    """Spare the garbage collector what was imported: it lives until the end."""
    gc.freeze()


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


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    """Run a Redis of the test's own."""
    server = RedisServer(tmp_path)
    await server.start()
    yield server
    await server.stop()
