"""Forks processes from one that has imported the program already, for tests that start many of them."""

import multiprocessing

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        "__main__",
        "bot.process.bot",
        "bot.process.worker",
        "tests.chaos.long_delivery",
        "tests.chaos.forked",
        "tests.jobs.worker_main",
    ]
)
