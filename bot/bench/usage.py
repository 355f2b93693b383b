"""What a process and its children use, as Linux tells it; zeros on other systems."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
KIB_A_MB = 1000 / 1.024
TICKS = os.sysconf("SC_CLK_TCK")
USER, SYSTEM = 11, 12


@dataclass(frozen=True, slots=True)
class Usage:
    """Processor seconds so far; memory now, at its highest, and without what is only mapped from files, in MB."""

    cpu_s: float = 0.0
    resident_mb: float = 0.0
    peak_mb: float = 0.0
    own_mb: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        """Add up two processes."""
        return Usage(
            self.cpu_s + other.cpu_s,
            self.resident_mb + other.resident_mb,
            self.peak_mb + other.peak_mb,
            self.own_mb + other.own_mb,
        )


def usage_of(pid: int) -> Usage:
    """Tell what a process and all below it use."""
    with suppress(OSError, IndexError):
        children = [child for task in (PROC / str(pid) / "task").iterdir() for child in _numbers(task / "children")]
        return sum((usage_of(child) for child in children), _alone(pid))
    return Usage()


def _alone(pid: int) -> Usage:
    status = (PROC / str(pid) / "status").read_text()
    times = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return Usage(
        (int(times[USER]) + int(times[SYSTEM])) / TICKS,
        _mb(status, "VmRSS"),
        _mb(status, "VmHWM"),
        _mb(status, "RssAnon"),
    )


def _numbers(file: Path) -> list[int]:
    return [int(number) for number in file.read_text().split()]


def _mb(status: str, name: str) -> float:
    found = re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) / KIB_A_MB if found else 0.0
