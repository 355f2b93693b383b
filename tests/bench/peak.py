"""Peak multiply-add rate of this processor, measured with numpy, and the multiply-adds of SenseVoiceSmall."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from engine.runtime.cpu import Int8Support

SIZE = 2048
TRIES = 5
PARAMETERS = 234_000_000
ROWS_PER_S = 100 / 6
QUERIES = 4

# Products of 8-bit numbers for each one of floats, with as many multiplying instructions: VNNI makes four times as many
# with one instruction; AVX2 with two, which makes 2, where its additions run beside; without either there is no gain.
GAINS: dict[Int8Support, float] = {"full": 4.0, "halved": 2.0, "none": 1.0}


def measure_fp32() -> float:
    """Give fp32 multiply-adds a second: the best of five products of large matrices by numpy, on all cores."""
    matrix = np.ones((SIZE, SIZE), np.float32)
    product = np.empty_like(matrix)
    np.matmul(matrix, matrix, out=product)
    return SIZE**3 / min(_timed(matrix, product) for _ in range(TRIES))


def multiply_adds(seconds: list[float]) -> float:
    """Give the multiply-adds of SenseVoiceSmall for pieces of so many seconds: each weight once per row of features."""
    return PARAMETERS * sum(length * ROWS_PER_S + QUERIES for length in seconds)


def _timed(matrix: NDArray[np.float32], product: NDArray[np.float32]) -> float:
    begun = time.perf_counter()
    np.matmul(matrix, matrix, out=product)
    return time.perf_counter() - begun
