"""How much memory a worker has grown to, and when that is too much for it to go on."""

import os
import resource
import sys
from pathlib import Path

from jobs.errors import MemoryLimitTooSmall

MB = 1024 * 1024
STATM = Path("/proc/self/statm")


class Outgrown(Exception):
    """The worker has grown past its limit: a new process should take its place."""

    def __init__(self, resident_mb: float) -> None:
        """Say how much it has grown to."""
        self.resident_mb = resident_mb
        super().__init__(f"{resident_mb:.0f} MB")


def resident_mb() -> float:
    """Give the memory that this process holds, in MB; where the system does not tell, the most that it ever held."""
    if STATM.exists():
        return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MB
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MB


def check_growth(limit_mb: int) -> None:
    """Look whether this process may go on; a limit of 0 is none.

    Raises:
        Outgrown: it has grown past the limit.
    """
    if limit_mb and (held_mb := resident_mb()) > limit_mb:
        raise Outgrown(held_mb)


def check_limit(limit_mb: int) -> None:
    """Make sure of the limit before the first note: a worker that starts beyond it would be replaced for ever.

    Raises:
        MemoryLimitTooSmall: the worker is larger already.
    """
    try:
        check_growth(limit_mb)
    except Outgrown as held:
        raise MemoryLimitTooSmall(limit_mb=limit_mb, needed_mb=round(held.resident_mb)) from None
