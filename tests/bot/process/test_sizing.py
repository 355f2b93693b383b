import pytest

from bot.process.sizing import memory_gib, suitable_threads, suitable_workers


@pytest.mark.parametrize(
    ("cores", "memory_gib", "workers"),
    [(1, 1, 1), (2, 2, 1), (2, 64, 1), (4, 15.6, 2), (8, 7.7, 2), (16, 128, 8), (64, 16, 4)],
)
def test_a_worker_has_two_cores_and_four_gigabytes(cores: int, memory_gib: float, workers: int) -> None:
    assert suitable_workers(cores, memory_gib, reads_on_all_cores=False) == workers


@pytest.mark.parametrize(("cores", "workers"), [(1, 1), (2, 1), (8, 1), (9, 2), (64, 8)])
def test_a_worker_that_reads_on_all_cores_has_up_to_eight(cores: int, workers: int) -> None:
    assert suitable_workers(cores, 4.0, reads_on_all_cores=True) == workers


@pytest.mark.parametrize(("cores", "workers", "threads"), [(2, 1, 2), (8, 3, 2), (1, 4, 1)])
def test_workers_share_the_cores(cores: int, workers: int, threads: int) -> None:
    assert suitable_threads(cores, workers) == threads


def test_this_machine_has_memory() -> None:
    assert 0.1 < memory_gib() < 100_000
