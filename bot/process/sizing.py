"""Chooses the number of workers and of threads per worker from the machine's cores and memory."""

import os
from contextlib import suppress
from pathlib import Path

CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
CORES_A_WORKER = 2
MOST_CORES_A_WORKER = 8  # what Python itself does for every piece keeps one core busy when that many read
GIB_A_WORKER = 4
GIB = 2**30


def memory_gib() -> float:
    """Return the memory in GiB of the machine, or of the container (cgroup) if that is less."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError, ValueError):
        memory = min(memory, int(CGROUP_LIMIT.read_text()))
    return memory / GIB


def suitable_workers(cores: int, memory_gib: float, *, reads_on_all_cores: bool) -> int:
    """Return the number of workers: one for two cores and 4 GiB; fewer if each transcribes on all cores."""
    if reads_on_all_cores:
        return -(-cores // MOST_CORES_A_WORKER)
    return max(1, min(cores // CORES_A_WORKER, round(memory_gib) // GIB_A_WORKER))


def suitable_threads(cores: int, workers: int) -> int:
    """Divide the cores among the workers: more threads than cores slow each other down."""
    return max(1, cores // workers)
