"""Builds an ONNX model node by node, with large weights in a file beside it where one is given. Knows no model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

Attribute = int | float | list[int]
Tensors = Mapping[str, tuple[int, list[str | int]]]
"""Inputs or outputs: the element type of `TensorProto`, and the shape; a name stands for a length that varies."""

MICROSOFT = "com.microsoft"
OPSET, MICROSOFT_OPSET, IR_VERSION = 17, 1, 9
PAGE = 4096  # what is mapped into memory begins at a page


@dataclass(slots=True)
class GraphBuilder:
    """Collects nodes and constants.

    Constants of a page or more go to `weights_file` at once, so they need no memory; `on_written` is told its size.
    """

    weights_file: BinaryIO | None = None
    on_written: Callable[[int], None] = lambda _: None
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[TensorProto] = field(default_factory=list)

    def node(self, kind: str, *inputs: str, output: str = "", domain: str = "", **attributes: Attribute) -> str:
        """Add a node with one output, and return the output's name."""
        return self.node_of(
            kind, *inputs, outputs=[output or f"{kind}_{len(self.nodes)}"], domain=domain, **attributes
        )[0]

    def node_of(
        self, kind: str, *inputs: str, outputs: list[str], domain: str = "", **attributes: Attribute
    ) -> list[str]:
        """Add a node with several outputs, and return their names."""
        node = helper.make_node(kind, inputs, outputs, domain=domain)
        node.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())
        self.nodes.append(node)
        return outputs

    def integers(self, *values: int) -> str:
        """Add a list of int64."""
        return self.constant(np.array(values, np.int64))

    def constant(self, values: NDArray[np.generic]) -> str:
        """Add an array, and return its name."""
        name = f"constant_{len(self.constants)}"
        kind = helper.np_dtype_to_tensor_dtype(values.dtype)
        tensor = TensorProto(name=name, data_type=kind, dims=values.shape)
        content = np.ascontiguousarray(values).tobytes()
        if self.weights_file is None or len(content) < PAGE:
            tensor.raw_data = content
        else:
            self._write_aside(self.weights_file, tensor, content)
        self.constants.append(tensor)
        return name

    def model(self, name: str, inputs: Tensors, outputs: Tensors) -> onnx.ModelProto:
        """Return the finished model."""
        ins, outs = (
            [helper.make_tensor_value_info(name, *tensor) for name, tensor in some.items()]
            for some in (inputs, outputs)
        )
        return helper.make_model(
            helper.make_graph(self.nodes, name, ins, outs, self.constants),
            opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, MICROSOFT_OPSET)],
            ir_version=IR_VERSION,
        )

    def _write_aside(self, file: BinaryIO, tensor: TensorProto, content: bytes) -> None:
        file.write(bytes(-file.tell() % PAGE))
        place = {"location": Path(file.name).name, "offset": file.tell(), "length": len(content)}
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in place.items():
            tensor.external_data.add(key=key, value=str(value))
        file.write(content)
        self.on_written(file.tell())
