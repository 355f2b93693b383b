import os
from pathlib import Path

import numpy as np
import pytest

from engine.runtime.onnx import Network
from engine.runtime.precision import Precision
from tests.engine.folders import exported

TASKS = Path("/proc/self/task")

linux = pytest.mark.skipif(not TASKS.exists(), reason="only Linux tells of its threads, and lets them be polite")


def encoded(network: Network) -> bytes:
    rows = np.random.default_rng(0).normal(size=(1, 97, 560)).astype(np.float32)
    [found] = network.run("encoded", speech=rows, language=np.zeros(1, np.int64), itn=np.zeros(1, np.int64))
    return found.tobytes()


@pytest.mark.parametrize("precision", ["fp32", "int8", "int8-halved"])
def test_whoever_helps_the_result_is_the_same_to_the_bit(tiny: Path, exports_dir: Path, precision: Precision) -> None:
    path = exported(tiny, exports_dir, precision)
    assert {encoded(Network(path, threads=3)) for _ in range(5)} == {encoded(Network(path, threads=1))}


@linux
def test_helpers_push_nobody_off_a_core_and_who_opens_the_network_goes_on_as_before(
    tiny: Path, exports_dir: Path
) -> None:
    path, before = exported(tiny, exports_dir, "int8"), set(TASKS.iterdir())
    network = Network(path, threads=3)
    helpers = [int(task.name) for task in set(TASKS.iterdir()) - before]
    assert [os.sched_getscheduler(helper) for helper in helpers] == [os.SCHED_BATCH] * 2
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
    assert encoded(network)


@linux
def test_a_network_for_one_thread_starts_no_helpers(tiny: Path, exports_dir: Path) -> None:
    path, before = exported(tiny, exports_dir, "int8"), set(TASKS.iterdir())
    network = Network(path)
    assert set(TASKS.iterdir()) == before
    assert encoded(network)
