"""How many processor cores this process may use, on every system."""

import os


def cores() -> int:
    """Give the number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def one_thread_for_each_product() -> None:
    """Let numpy multiply within the thread that asks: pieces run side by side already, and more threads only fight."""
    from threadpoolctl import ThreadpoolController  # noqa: PLC0415 - the bot's process has no use for it

    ThreadpoolController().select(internal_api="openblas").limit(limits=1)
