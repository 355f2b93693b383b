"""Writes SenseVoice's network as an ONNX file, straight from its checkpoint. Knows no sound and no text.

Inputs: `speech` (batch, rows, features), `language` and `itn` (batch), the indexes of their queries. Outputs: `tokens`,
the likeliest of each row; `tags`, the scores of the four rows before them; `encoded`, what both are made of. What is in
one batch has to have one length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from pydantic import BaseModel

from engine.runtime.export import Precision
from engine.runtime.torch_files import Floats, read_settings, read_weights

Weights = Mapping[str, Floats]
Attribute = int | float | list[int]
OnWritten = Callable[[int, int], None]

EPSILON = 1e-5
WAVELENGTHS = 10_000
EVENT_AND_EMOTION = slice(1, 3)
QUERIES = 4
LARGEST = {"int8": 127, "int8-halved": 63}
PAGE = 4096
CONTRIBUTED = "com.microsoft"
OPSET, CONTRIBUTED_OPSET, IR_VERSION = 17, 1, 9


class Shape(BaseModel):
    """The table `encoder_conf` of a model folder, as far as the weights do not tell it."""

    output_size: int
    attention_heads: int
    kernel_size: int
    sanm_shfit: int = 0
    normalize_before: Literal[True] = True


class _Settings(BaseModel):
    model: Literal["SenseVoiceSmall"]
    encoder: Literal["SenseVoiceEncoderSmall"]
    encoder_conf: Shape


def write_sensevoice(folder: Path, path: Path, precision: Precision, on_written: OnWritten) -> None:
    """Write the network of a model folder to `path`, and its weights beside it.

    `on_written` is told the bytes done and about how many there will be, again and again.

    Raises:
        OSError: a file is missing, or cannot be written.
        ValueError: the model is of another kind, or damaged.
        KeyError: weights are missing.
    """
    shape = read_settings(folder, _Settings).encoder_conf
    weights = read_weights(folder)
    bytes_each = 4 if precision == "fp32" else 1
    total = bytes_each * sum(weight.size for weight in weights.values())
    with path.with_suffix(".weights").open("wb") as file:
        graph = _Graph(file, precision, lambda done: on_written(min(done, total - 1), total))
        _SenseVoice(weights, shape, graph).build()
    on_written(total, total)
    onnx.save(graph.model(weights["embed.weight"].shape[1], shape.output_size), path)


@dataclass(slots=True)
class _Graph:
    """Collects nodes and weights; small constants stay within, the rest goes to the file at once."""

    file: BinaryIO
    precision: Precision
    on_written: Callable[[int], None]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def node(self, kind: str, *inputs: str, output: str = "", domain: str = "", **attributes: Attribute) -> str:
        """Add a node with one output, and give the output's name."""
        outputs = (output or f"{kind}_{len(self.nodes)}",)
        return self.nodes_of(kind, *inputs, outputs=outputs, domain=domain, **attributes)[0]

    def nodes_of(
        self, kind: str, *inputs: str, outputs: tuple[str, ...], domain: str = "", **attributes: Attribute
    ) -> tuple[str, ...]:
        """Add a node with several outputs."""
        node = helper.make_node(kind, inputs, outputs, domain=domain)
        node.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())
        self.nodes.append(node)
        return outputs

    def numbers(self, *values: int) -> str:
        """Add a list of whole numbers."""
        return self.constant(np.array(values, np.int64))

    def constant(self, values: NDArray[np.generic]) -> str:
        """Add values; what is large goes to the file."""
        name = f"constant_{len(self.constants)}"
        kind = helper.np_dtype_to_tensor_dtype(values.dtype)
        tensor = TensorProto(name=name, data_type=kind, dims=values.shape)
        content = np.ascontiguousarray(values).tobytes()
        if len(content) < PAGE:
            tensor.raw_data = content
        else:
            self._put_aside(tensor, content)
        self.constants.append(tensor)
        return name

    def linear(self, rows: str, weight: Floats, bias: Floats) -> str:
        """Multiply rows by a matrix, given as torch keeps it, and add the bias."""
        matrix = weight.T
        if self.precision == "fp32":
            return self.node("Add", self.node("MatMul", rows, self.constant(matrix)), self.constant(bias))
        whole, scale = quantize(matrix, LARGEST[self.precision])
        inputs = (self.constant(whole), self.constant(scale), self.constant(np.zeros_like(whole[0])))
        return self.node("DynamicQuantizeMatMul", rows, *inputs, self.constant(bias), domain=CONTRIBUTED)

    def model(self, features: int, encoded: int) -> onnx.ModelProto:
        """Give the finished model."""
        whole, real = TensorProto.INT64, TensorProto.FLOAT
        graph = helper.make_graph(
            self.nodes,
            "sensevoice",
            [
                helper.make_tensor_value_info("speech", real, ["batch", "rows", features]),
                helper.make_tensor_value_info("language", whole, ["batch"]),
                helper.make_tensor_value_info("itn", whole, ["batch"]),
            ],
            [
                helper.make_tensor_value_info("tokens", whole, ["batch", "rows"]),
                helper.make_tensor_value_info("tags", real, ["batch", QUERIES, "vocabulary"]),
                helper.make_tensor_value_info("encoded", real, ["batch", "rows_and_queries", encoded]),
            ],
            self.constants,
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIBUTED, CONTRIBUTED_OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)

    def _put_aside(self, tensor: TensorProto, content: bytes) -> None:
        self.file.write(bytes(-self.file.tell() % PAGE))
        place = {"location": Path(self.file.name).name, "offset": self.file.tell(), "length": len(content)}
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in place.items():
            tensor.external_data.add(key=key, value=str(value))
        self.file.write(content)
        self.on_written(self.file.tell())


@dataclass(frozen=True, slots=True)
class _SenseVoice:
    weights: Weights
    shape: Shape
    graph: _Graph

    def build(self) -> None:
        graph = self.graph
        rows = self._positioned(self._with_queries())
        for layer in self._layers("encoders0", "encoders"):
            rows = self._layer(rows, layer)
        rows = self._normalised(rows, "encoder.after_norm")
        for layer in self._layers("tp_encoders"):
            rows = self._layer(rows, layer)
        rows = graph.node("Identity", self._normalised(rows, "encoder.tp_norm"), output="encoded")
        scores = self._linear(rows, "ctc.ctc_lo")
        first, queries, end = graph.numbers(0), graph.numbers(QUERIES), graph.numbers(1 << 31)
        axis = graph.numbers(1)
        graph.node("Slice", scores, first, queries, axis, output="tags")
        likeliest = graph.node("ArgMax", scores, axis=-1, keepdims=0)
        graph.node("Slice", likeliest, queries, end, axis, output="tokens")

    def _with_queries(self) -> str:
        """Put the four queries before the sound: language, event, emotion, and whether numbers become figures."""
        graph, queries = self.graph, self.weights["embed.weight"]
        table, axis = graph.constant(queries), graph.numbers(1)
        language, itn = (
            graph.node("Unsqueeze", graph.node("Gather", table, query), axis) for query in ("language", "itn")
        )
        fixed = queries[np.newaxis, EVENT_AND_EMOTION]
        batch = graph.node("Shape", "speech", start=0, end=1)
        shape = graph.node("Concat", batch, graph.numbers(*fixed.shape[1:]), axis=0)
        return graph.node("Concat", language, graph.node("Expand", graph.constant(fixed), shape), itn, "speech", axis=1)

    def _positioned(self, rows: str) -> str:
        graph = self.graph
        half = self.weights["embed.weight"].shape[1] // 2
        frequencies = np.exp(np.arange(half) * -(np.log(WAVELENGTHS) / (half - 1))).astype(np.float32)
        one, axis = graph.constant(np.array(1, np.int64)), graph.numbers(1)
        count = graph.node("Squeeze", graph.node("Shape", rows, start=1, end=2))
        places = graph.node("Range", one, graph.node("Add", count, one), one)
        column = graph.node("Unsqueeze", graph.node("Cast", places, to=TensorProto.FLOAT), axis)
        angles = graph.node("Mul", column, graph.constant(frequencies[np.newaxis]))
        waves = graph.node("Concat", graph.node("Sin", angles), graph.node("Cos", angles), axis=1)
        scaled = graph.node("Mul", rows, graph.constant(np.array(self.shape.output_size**0.5, np.float32)))
        return graph.node("Add", scaled, waves)

    def _layers(self, *stacks: str) -> Iterator[str]:
        for stack in stacks:
            prefix = f"encoder.{stack}."
            numbers = {int(name.removeprefix(prefix).split(".")[0]) for name in self.weights if name.startswith(prefix)}
            yield from (f"{prefix}{number}" for number in sorted(numbers))

    def _layer(self, rows: str, layer: str) -> str:
        graph = self.graph
        mixed = self._attention(self._normalised(rows, f"{layer}.norm1"), f"{layer}.self_attn")
        if self.weights[f"{layer}.norm1.weight"].shape[0] == self.shape.output_size:
            mixed = graph.node("Add", rows, mixed)
        inner = self._linear(self._normalised(mixed, f"{layer}.norm2"), f"{layer}.feed_forward.w_1")
        return graph.node("Add", mixed, self._linear(graph.node("Relu", inner), f"{layer}.feed_forward.w_2"))

    def _attention(self, rows: str, name: str) -> str:
        graph, size = self.graph, self.shape.output_size
        joint = self._linear(rows, f"{name}.linear_q_k_v")
        parts = tuple(f"{joint}_{part}" for part in ("query", "key", "value"))
        query, key, value = graph.nodes_of("Split", joint, graph.numbers(size, size, size), outputs=parts, axis=-1)
        heads = self.shape.attention_heads
        found = graph.node("MultiHeadAttention", query, key, value, domain=CONTRIBUTED, num_heads=heads)
        return graph.node("Add", self._linear(found, f"{name}.linear_out"), self._memory(value, name))

    def _memory(self, value: str, name: str) -> str:
        """Filter each value over time, and add the value itself: one more at the filter's own place."""
        graph, size = self.graph, self.shape.kernel_size
        before = (size - 1) // 2 + max(0, self.shape.sanm_shfit)
        after = size - 1 - before
        taps = self.weights[f"{name}.fsmn_block.weight"].copy()
        taps[:, 0, before] += 1
        across = graph.node("Transpose", value, perm=[0, 2, 1])
        filtered = graph.node("Conv", across, graph.constant(taps), group=len(taps), pads=[before, after])
        return graph.node("Transpose", filtered, perm=[0, 2, 1])

    def _linear(self, rows: str, name: str) -> str:
        return self.graph.linear(rows, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def _normalised(self, rows: str, name: str) -> str:
        scale, bias = (self.graph.constant(self.weights[f"{name}.{part}"]) for part in ("weight", "bias"))
        return self.graph.node("LayerNormalization", rows, scale, bias, axis=-1, epsilon=EPSILON)


def quantize(matrix: Floats, largest: int) -> tuple[NDArray[np.int8], Floats]:
    """Give whole numbers up to `largest`, and for each column what they have to be multiplied by."""
    scale = np.maximum(np.abs(matrix).max(axis=0) / largest, np.finfo(np.float32).tiny).astype(np.float32)
    return np.rint(matrix / scale).astype(np.int8), scale
