"""Number of processor cores of this process, and the limit on threads within numpy."""

import os


def cores() -> int:
    """Return how many cores this process may use: those of its CPU affinity where the system has that."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def limit_blas_to_one_thread() -> None:
    """Make numpy multiply matrices in the calling thread: chunks run in parallel already, more threads slow them."""
    from threadpoolctl import ThreadpoolController  # noqa: PLC0415 - the bot's process has no use for it

    ThreadpoolController().select(internal_api="openblas").limit(limits=1)
