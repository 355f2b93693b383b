"""ONNX Runtime session for one exported network. The only file that touches ONNX Runtime."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32] | NDArray[np.int64]

# Measured: a helper thread that sleeps at once wakes too late for the next product; one that spins longer takes
# a core from other chunks.
SPIN_US = 20


class Network:
    """An exported network on the processor. Any number of threads may call `run` at the same time."""

    def __init__(self, source: Path | bytes, *, is_fused: bool = True, threads: int = 1) -> None:
        """Open an ONNX file, or its content; weights in a file beside it are memory-mapped.

        Args:
            source: The file, or its bytes.
            is_fused: False lets ONNX Runtime optimise the graph, which takes a second.
            threads: How many cores one call of `run` may use: its own thread, and helpers. Results do not depend on it.

        Raises:
            NetworkBroken: It cannot be opened.
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
            with _batch_scheduling():
                self._session = onnxruntime.InferenceSession(
                    source if isinstance(source, bytes) else str(source),
                    options,
                    providers=[("CPUExecutionProvider", {"arena_extend_strategy": "kSameAsRequested"})],
                )
        except Exception as broken:  # its errors have no common class but this
            raise NetworkBroken(str(broken)) from broken

    def run(self, *outputs: str, **inputs: Array) -> list[Array]:
        """Compute the outputs that are named, in their order."""
        found: list[Array] = self._session.run(list(outputs), inputs)
        return found


class NetworkBroken(Exception):
    """A file that ONNX Runtime cannot open."""


@contextmanager
def _batch_scheduling() -> Iterator[None]:
    """Start threads under Linux's SCHED_BATCH, which never preempts another thread; elsewhere do nothing.

    Measured: helpers that wake while every core reads a chunk of its own cost a tenth of the throughput otherwise.
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
