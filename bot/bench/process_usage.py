"""Processor time and memory of a process and its children, from Linux' /proc; zeros on other systems."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path

PROC = Path("/proc")
BYTES_PER_KIB = 1024
BYTES_PER_MB = 1_000_000
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
UTIME, STIME = 11, 12  # fields of /proc/PID/stat, counted from behind the name; proc(5)


@dataclass(frozen=True, slots=True)
class Usage:
    """Processor time so far in seconds; memory in MB: resident, its peak, and without pages mapped from files."""

    cpu_s: float = 0.0
    resident_mb: float = 0.0
    peak_mb: float = 0.0
    anonymous_mb: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        """Add up two processes."""
        return Usage(*(mine + its for mine, its in zip(astuple(self), astuple(other), strict=True)))


def usage_of(pid: int) -> Usage:
    """Give what a process and its descendants use; zeros for those that are gone."""
    return sum((_usage_without_children(one) for one in descendants(pid)), _usage_without_children(pid))


def descendants(pid: int) -> Iterator[int]:
    """Give the ids of all processes below a process."""
    for child in _children(pid):
        yield child
        yield from descendants(child)


def _usage_without_children(pid: int) -> Usage:
    try:
        status = (PROC / str(pid) / "status").read_text()
        times = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return Usage()
    return Usage(
        (int(times[UTIME]) + int(times[STIME])) / TICKS_PER_S,
        _mb(status, "VmRSS"),
        _mb(status, "VmHWM"),
        _mb(status, "RssAnon"),
    )


def _children(pid: int) -> Iterator[int]:
    with suppress(OSError):
        for thread in (PROC / str(pid) / "task").iterdir():
            with suppress(OSError):  # a thread may end while it is looked at
                yield from map(int, (thread / "children").read_text().split())


def _mb(status: str, name: str) -> float:
    found = re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) * BYTES_PER_KIB / BYTES_PER_MB if found else 0.0
