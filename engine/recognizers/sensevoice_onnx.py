"""Writes SenseVoice's network as an ONNX file straight from its checkpoint, in fp32 or int8.

Inputs: `speech`, float32 [batch, rows, 560], all of one length; `language` and `itn`, int64 [batch], rows of the
embedding table. Outputs: `tokens`, the likeliest token of each row, int64 [batch, rows]; `tags`, the scores of the four
rows before them, float32 [batch, 4, vocabulary]; `encoded`, the encoder's output, float32 [batch, 4 + rows, 512].
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto
from pydantic import BaseModel

from engine.runtime.onnx_graph import MICROSOFT, GraphBuilder, Tensors
from engine.runtime.precision import Precision
from engine.runtime.torch_files import Floats, read_settings, read_weights

# As in FunASR, funasr/models/sense_voice/model.py: the layer norms, the sinusoidal positions, and the rows of the
# embedding table for "which event" and "which emotion", which stand between those for the language and for ITN.
EPSILON = 1e-5
WAVELENGTHS = 10_000
EVENT_AND_EMOTION = slice(1, 3)
QUERIES = 4
MAX_WEIGHT = {"int8": 127, "int8-halved": 63}


class EncoderSettings(BaseModel):
    """The table `encoder_conf` of config.yaml, as far as the weights do not tell it."""

    output_size: int
    attention_heads: int
    kernel_size: int
    sanm_shfit: int = 0  # FunASR's spelling
    normalize_before: Literal[True] = True


class _Settings(BaseModel):
    model: Literal["SenseVoiceSmall"]
    encoder: Literal["SenseVoiceEncoderSmall"]
    encoder_conf: EncoderSettings


def write_sensevoice(folder: Path, path: Path, precision: Precision, on_written: Callable[[int, int], None]) -> None:
    """Write the network of a model folder to `path`, and its weights to a file beside it.

    `on_written` is told the bytes done and about how many there will be, again and again.

    Raises:
        OSError: A file is missing, or cannot be written.
        ValueError: The model is of another kind, or damaged.
        KeyError: Weights are missing.
    """
    settings = read_settings(folder, _Settings).encoder_conf
    weights = read_weights(folder)
    total = (4 if precision == "fp32" else 1) * sum(weight.size for weight in weights.values())
    with path.with_suffix(".weights").open("wb") as file:
        graph = GraphBuilder(file, lambda done: on_written(min(done, total - 1), total))
        _SenseVoice(weights, settings, precision, graph).build()
    on_written(total, total)
    integer, real = TensorProto.INT64, TensorProto.FLOAT
    inputs: Tensors = {
        "speech": (real, ["batch", "rows", weights["embed.weight"].shape[1]]),
        "language": (integer, ["batch"]),
        "itn": (integer, ["batch"]),
    }
    outputs: Tensors = {
        "tokens": (integer, ["batch", "rows"]),
        "tags": (real, ["batch", QUERIES, "vocabulary"]),
        "encoded": (real, ["batch", "rows_and_queries", settings.output_size]),
    }
    onnx.save(graph.model("sensevoice", inputs, outputs), path)


@dataclass(frozen=True, slots=True)
class _SenseVoice:
    """The network's layers as nodes. Methods take and return the names of node outputs."""

    weights: Mapping[str, Floats]
    settings: EncoderSettings
    precision: Precision
    graph: GraphBuilder

    def build(self) -> None:
        graph = self.graph
        rows = self._add_positions(self._prepend_queries())
        for layer in self._layers("encoders0", "encoders"):
            rows = self._encoder_layer(rows, layer)
        rows = self._layer_norm(rows, "encoder.after_norm")
        for layer in self._layers("tp_encoders"):
            rows = self._encoder_layer(rows, layer)
        rows = graph.node("Identity", self._layer_norm(rows, "encoder.tp_norm"), output="encoded")
        scores = self._linear(rows, "ctc.ctc_lo")
        first, queries, end = graph.integers(0), graph.integers(QUERIES), graph.integers(1 << 31)
        axis = graph.integers(1)
        graph.node("Slice", scores, first, queries, axis, output="tags")
        likeliest = graph.node("ArgMax", scores, axis=-1, keepdims=0)
        graph.node("Slice", likeliest, queries, end, axis, output="tokens")

    def _prepend_queries(self) -> str:
        """Put the four query rows before the speech: language, event, emotion, ITN."""
        graph, queries = self.graph, self.weights["embed.weight"]
        table, axis = graph.constant(queries), graph.integers(1)
        language, itn = (
            graph.node("Unsqueeze", graph.node("Gather", table, query), axis) for query in ("language", "itn")
        )
        fixed = queries[np.newaxis, EVENT_AND_EMOTION]
        batch = graph.node("Shape", "speech", start=0, end=1)
        shape = graph.node("Concat", batch, graph.integers(*fixed.shape[1:]), axis=0)
        return graph.node("Concat", language, graph.node("Expand", graph.constant(fixed), shape), itn, "speech", axis=1)

    def _add_positions(self, rows: str) -> str:
        """Scale the rows and add sinusoidal positions, which count from 1."""
        graph = self.graph
        half = self.weights["embed.weight"].shape[1] // 2
        frequencies = np.exp(np.arange(half) * -(np.log(WAVELENGTHS) / (half - 1))).astype(np.float32)
        one, axis = graph.constant(np.array(1, np.int64)), graph.integers(1)
        count = graph.node("Squeeze", graph.node("Shape", rows, start=1, end=2))
        positions = graph.node("Range", one, graph.node("Add", count, one), one)
        column = graph.node("Unsqueeze", graph.node("Cast", positions, to=TensorProto.FLOAT), axis)
        angles = graph.node("Mul", column, graph.constant(frequencies[np.newaxis]))
        waves = graph.node("Concat", graph.node("Sin", angles), graph.node("Cos", angles), axis=1)
        scaled = graph.node("Mul", rows, graph.constant(np.array(self.settings.output_size**0.5, np.float32)))
        return graph.node("Add", scaled, waves)

    def _layers(self, *stacks: str) -> Iterator[str]:
        for stack in stacks:
            prefix = f"encoder.{stack}."
            numbers = {int(name.removeprefix(prefix).split(".")[0]) for name in self.weights if name.startswith(prefix)}
            yield from (f"{prefix}{number}" for number in sorted(numbers))

    def _encoder_layer(self, rows: str, layer: str) -> str:
        graph = self.graph
        attended = self._attention(self._layer_norm(rows, f"{layer}.norm1"), f"{layer}.self_attn")
        if self.weights[f"{layer}.norm1.weight"].shape[0] == self.settings.output_size:
            attended = graph.node("Add", rows, attended)
        inner = self._linear(self._layer_norm(attended, f"{layer}.norm2"), f"{layer}.feed_forward.w_1")
        return graph.node("Add", attended, self._linear(graph.node("Relu", inner), f"{layer}.feed_forward.w_2"))

    def _attention(self, rows: str, name: str) -> str:
        """SAN-M, self-attention with a memory (https://arxiv.org/abs/2006.01713)."""
        graph, size = self.graph, self.settings.output_size
        joint = self._linear(rows, f"{name}.linear_q_k_v")
        parts = [f"{joint}_{part}" for part in ("query", "key", "value")]
        query, key, value = graph.node_of("Split", joint, graph.integers(size, size, size), outputs=parts, axis=-1)
        heads = self.settings.attention_heads
        attended = graph.node("MultiHeadAttention", query, key, value, domain=MICROSOFT, num_heads=heads)
        return graph.node("Add", self._linear(attended, f"{name}.linear_out"), self._memory(value, name))

    def _memory(self, value: str, name: str) -> str:
        """Filter each value over time (FSMN) and add the value itself: one more at the filter's own tap."""
        graph, size = self.graph, self.settings.kernel_size
        before = (size - 1) // 2 + max(0, self.settings.sanm_shfit)
        after = size - 1 - before
        taps = self.weights[f"{name}.fsmn_block.weight"].copy()
        taps[:, 0, before] += 1
        channels_first = graph.node("Transpose", value, perm=[0, 2, 1])
        filtered = graph.node("Conv", channels_first, graph.constant(taps), group=len(taps), pads=[before, after])
        return graph.node("Transpose", filtered, perm=[0, 2, 1])

    def _linear(self, rows: str, name: str) -> str:
        """Multiply by a weight, which torch keeps transposed, and add the bias."""
        graph, matrix, bias = self.graph, self.weights[f"{name}.weight"].T, self.weights[f"{name}.bias"]
        if self.precision == "fp32":
            return graph.node("Add", graph.node("MatMul", rows, graph.constant(matrix)), graph.constant(bias))
        integers, scale = quantize(matrix, MAX_WEIGHT[self.precision])
        arrays = (integers, scale, np.zeros_like(integers[0]), bias)
        return graph.node("DynamicQuantizeMatMul", rows, *map(graph.constant, arrays), domain=MICROSOFT)

    def _layer_norm(self, rows: str, name: str) -> str:
        scale, bias = (self.graph.constant(self.weights[f"{name}.{part}"]) for part in ("weight", "bias"))
        return self.graph.node("LayerNormalization", rows, scale, bias, axis=-1, epsilon=EPSILON)


def quantize(matrix: Floats, largest: int) -> tuple[NDArray[np.int8], Floats]:
    """Quantise symmetrically by column: integers in [-largest, largest], and the scale of each column.

    `matrix` is float32 [inputs, outputs], and about integers * scale.
    """
    scale = np.maximum(np.abs(matrix).max(axis=0) / largest, np.finfo(np.float32).tiny).astype(np.float32)
    return np.rint(matrix / scale).astype(np.int8), scale
