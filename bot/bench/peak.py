"""How fast this processor could multiply at best, measured here, and how much of that a network makes use of."""

from __future__ import annotations

import platform
import time
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from engine.runtime.cpu import CPUINFO, Int8Support

SIZE = 2048
TRIES = 5
PARAMETERS = 234_000_000
ROWS_A_SECOND = 100 / 6
QUERIES = 4

# Products of 8-bit numbers for each one of floats, with as many multiplying instructions: VNNI makes four times as many
# with one instruction; AVX2 with two, which makes 2, where its additions run beside; without either there is no gain.
GAINS: dict[Int8Support, float] = {"full": 4.0, "halved": 2.0, "none": 1.0}


def measured_fp32() -> float:
    """Give multiply-adds a second: the best of five products of large matrices by numpy, on all cores."""
    matrix = np.ones((SIZE, SIZE), np.float32)
    product = np.empty_like(matrix)
    np.matmul(matrix, matrix, out=product)
    return SIZE**3 / min(_timed(matrix, product) for _ in range(TRIES))


def multiply_adds(seconds: list[float]) -> float:
    """Give what SenseVoiceSmall has to multiply for pieces of sound: every weight once for every row."""
    return PARAMETERS * sum(length * ROWS_A_SECOND + QUERIES for length in seconds)


def processor() -> str:
    """Give the processor's name, as far as the system tells it."""
    with suppress(OSError):
        for line in CPUINFO.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _timed(matrix: NDArray[np.float32], product: NDArray[np.float32]) -> float:
    begun = time.perf_counter()
    np.matmul(matrix, matrix, out=product)
    return time.perf_counter() - begun
