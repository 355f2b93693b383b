"""The one file that touches ONNX Runtime: opens an exported network and runs it, in as many threads as call it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32] | NDArray[np.int64]


class Network:
    """An exported network. A call of `run` works in its own thread alone: threads do not wait for each other."""

    def __init__(self, source: Path | bytes, *, is_fused: bool = True) -> None:
        """Open the file, or its content; weights beside a file are mapped into memory.

        What was not written `is_fused` is made faster here, which takes a second.

        Raises:
            NetworkBroken: it cannot be opened.
        """
        import onnxruntime  # noqa: PLC0415 - 0.2 s that the bot can do without

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_mem_pattern = False  # else each new length leaves a plan behind
        options.enable_mem_reuse = False  # the arena does that as well, and planning it takes a second
        if is_fused:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 4
        try:
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
