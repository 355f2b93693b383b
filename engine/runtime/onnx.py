"""The one file that touches ONNX Runtime: opens an exported network and runs it, in as many threads as call it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32] | NDArray[np.int64]

SPIN_US = 20  # a helper that sleeps at once is woken too late for the next product; longer, it holds up other pieces


class Network:
    """An exported network. Threads that call `run` do not wait for each other."""

    def __init__(self, source: Path | bytes, *, is_fused: bool = True, threads: int = 1) -> None:
        """Open the file, or its content; weights beside a file are mapped into memory.

        What was not written `is_fused` is made faster here, which takes a second. A call of `run` works in its own
        thread; where more `threads` are allowed, cores that are idle meanwhile help it. The results are the same.

        Raises:
            NetworkBroken: it cannot be opened.
        """
        import onnxruntime  # noqa: PLC0415 - 0.2 s that the bot can do without

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.add_session_config_entry("session.intra_op.spin_duration_us", str(SPIN_US))
        options.enable_mem_pattern = False  # else each new length leaves a plan behind
        options.enable_mem_reuse = False  # the arena does that as well, and planning it takes a second
        if is_fused:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 4
        try:
            with _yielding():
                self._session = onnxruntime.InferenceSession(
                    source if isinstance(source, bytes) else str(source),
                    options,
                    providers=[("CPUExecutionProvider", {"arena_extend_strategy": "kSameAsRequested"})],
                )
        except Exception as broken:  # its errors have no common class but this
            raise NetworkBroken(str(broken)) from broken

    def run(self, *outputs: str, **inputs: Array) -> list[Array]:
        """Give the outputs that are named."""
        found: list[Array] = self._session.run(list(outputs), inputs)
        return found


class NetworkBroken(Exception):
    """A file holds no network that can be run."""


@contextmanager
def _yielding() -> Iterator[None]:
    """Let threads that are started here push nobody off a core, where the system knows such a thing.

    Helpers woken while every core reads a piece of its own would cost a tenth of the throughput otherwise.
    """
    usual = getattr(os, "SCHED_OTHER", None)
    if usual is None or os.sched_getscheduler(0) != usual:
        yield
        return
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    try:
        yield
    finally:
        with suppress(OSError):
            os.sched_setscheduler(0, usual, os.sched_param(0))
