"""What this machine has, and how many workers suit it."""

import os
from contextlib import suppress
from pathlib import Path

CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
CORES_A_WORKER = 2
MOST_CORES_A_WORKER = 8  # what Python itself does for every piece keeps one core busy when that many read
GIB_A_WORKER = 4
GIB = 2**30


def memory_gib() -> float:
    """Give the memory of the machine, or of the container if that is less."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError, ValueError):
        memory = min(memory, int(CGROUP_LIMIT.read_text()))
    return memory / GIB


def suitable_workers(cores: int, memory_gib: float, *, reads_on_all_cores: bool) -> int:
    """Choose the number of workers: two cores and 4 GiB for each, one at least; few where each reads on all cores."""
    if reads_on_all_cores:
        return -(-cores // MOST_CORES_A_WORKER)
    return max(1, min(cores // CORES_A_WORKER, round(memory_gib) // GIB_A_WORKER))


def suitable_threads(cores: int, workers: int) -> int:
    """Share the cores between the workers: more threads than cores slow each other down."""
    return max(1, cores // workers)
