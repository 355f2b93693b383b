"""Writes CAM++'s network, which turns speech into a voiceprint, as ONNX straight from its checkpoint. Knows no sound.

Input: `features` (batch, 10 ms frames, 80 log-mel energies), at most two seconds; output: `voiceprint` (batch, 192).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count, takewhile

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Weights = Mapping[str, NDArray[np.float32]]
Attribute = int | float | list[int]

MELS, LENGTH = 80, 192
# Of the three blocks, in each of which a layer takes what all layers before it gave.
DILATIONS = (1, 2, 2)
EPSILON = 1e-5
OPSET, IR_VERSION = 17, 9


def network(weights: Weights) -> bytes:
    """Give the network as the content of an ONNX file.

    Raises:
        KeyError: weights are missing.
    """
    graph = _Graph(weights)
    voiceprint = graph.node("Identity", graph.voiceprint(graph.mels()), output="voiceprint")
    real = TensorProto.FLOAT
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "campplus",
            [helper.make_tensor_value_info("features", real, ["batch", "frames", MELS])],
            [helper.make_tensor_value_info(voiceprint, real, ["batch", LENGTH])],
            list(graph.constants.values()),
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    content: bytes = model.SerializeToString()
    return content


@dataclass(slots=True)
class _Graph:
    weights: Weights
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, onnx.TensorProto] = field(default_factory=dict)

    def node(self, kind: str, *inputs: str, output: str = "", **attributes: Attribute) -> str:
        """Add a node with one output, and give the output's name."""
        name = output or f"{kind}_{len(self.nodes)}"
        node = helper.make_node(kind, inputs, [name])
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self.nodes.append(node)
        return name

    def constant(self, values: NDArray[np.generic], name: str = "") -> str:
        """Add values, once for each name."""
        name = name or f"constant_{len(self.constants)}"
        self.constants.setdefault(name, numpy_helper.from_array(values, name))
        return name

    def weight(self, name: str) -> str:
        """Add the weight of this name."""
        return self.constant(self.weights[name], name)

    def mels(self) -> str:
        """Turn the features into one picture, mels by frames."""
        turned = self.node("Transpose", "features", perm=[0, 2, 1])
        return self.node("Unsqueeze", turned, self.constant(np.array([1])))

    def voiceprint(self, picture: str) -> str:
        """Run the two-dimensional head, the dense blocks, and the statistics over all frames."""
        x = self.node("Relu", self.normalised(self.picture(picture, "head.conv1"), "head.bn1"))
        for layer in ("layer1", "layer2"):
            x = self.residual(self.residual(x, f"head.{layer}.0", stride=2), f"head.{layer}.1", stride=1)
        x = self.node("Relu", self.normalised(self.picture(x, "head.conv2", stride=2), "head.bn2"))
        x = self.node(
            "Reshape", x, self.constant(np.array([0, self.weights["xvector.tdnn.linear.weight"].shape[1], -1]))
        )
        x = self.activated(self.line(x, "xvector.tdnn.linear", stride=2, pad=2), "xvector.tdnn.nonlinear")
        for number, dilation in enumerate(DILATIONS, start=1):
            x = self.block(x, f"xvector.block{number}", dilation)
            x = self.line(self.activated(x, f"xvector.transit{number}.nonlinear"), f"xvector.transit{number}.linear")
        x = self.line(self.statistics(self.activated(x, "xvector.out_nonlinear")), "xvector.dense.linear")
        x = self.node("Squeeze", x, self.constant(np.array([-1])))
        return self.normalised(x, "xvector.dense.nonlinear.batchnorm")

    def picture(self, x: str, name: str, *, stride: int = 1, pad: int = 1) -> str:
        """Convolve a picture; a stride takes fewer mels, never fewer frames."""
        return self.node("Conv", x, self.weight(f"{name}.weight"), strides=[stride, 1], pads=[pad] * 4)

    def line(self, x: str, name: str, *, stride: int = 1, pad: int = 0, dilation: int = 1) -> str:
        """Convolve along the frames."""
        bias = [self.weight(f"{name}.bias")] if f"{name}.bias" in self.weights else []
        weight = self.weight(f"{name}.weight")
        return self.node("Conv", x, weight, *bias, strides=[stride], pads=[pad, pad], dilations=[dilation])

    def normalised(self, x: str, name: str) -> str:
        """Normalise by the statistics of training."""
        mean, variance = (self.weight(f"{name}.running_{kind}") for kind in ("mean", "var"))
        size = self.weights[f"{name}.running_mean"].shape
        scale = self.weights.get(f"{name}.weight", np.ones(size, np.float32))
        shift = self.weights.get(f"{name}.bias", np.zeros(size, np.float32))
        names = self.constant(scale, f"{name}.weight"), self.constant(shift, f"{name}.bias")
        return self.node("BatchNormalization", x, *names, mean, variance, epsilon=EPSILON)

    def activated(self, x: str, name: str) -> str:
        """Normalise, and drop what is below zero."""
        return self.node("Relu", self.normalised(x, f"{name}.batchnorm"))

    def residual(self, x: str, name: str, *, stride: int) -> str:
        """Add what two convolutions make of a picture to the picture itself."""
        inner = self.node("Relu", self.normalised(self.picture(x, f"{name}.conv1", stride=stride), f"{name}.bn1"))
        inner = self.normalised(self.picture(inner, f"{name}.conv2"), f"{name}.bn2")
        if f"{name}.shortcut.0.weight" in self.weights:
            x = self.normalised(self.picture(x, f"{name}.shortcut.0", stride=stride, pad=0), f"{name}.shortcut.1")
        return self.node("Relu", self.node("Add", inner, x))

    def block(self, x: str, name: str, dilation: int) -> str:
        """Run one layer after the other, each with all that was before."""
        layers = (f"{name}.tdnnd{number}" for number in count(1))
        for layer in takewhile(lambda layer: f"{layer}.linear1.weight" in self.weights, layers):
            inner = self.line(self.activated(x, f"{layer}.nonlinear1"), f"{layer}.linear1")
            inner = self.activated(inner, f"{layer}.nonlinear2")
            x = self.node("Concat", x, self.masked(inner, f"{layer}.cam_layer", dilation), axis=1)
        return x

    def masked(self, x: str, name: str, dilation: int) -> str:
        """Convolve, and weigh each channel by two means, of all frames and of each two seconds: here they are one."""
        local = self.line(x, f"{name}.linear_local", pad=dilation, dilation=dilation)
        mean = self.node("ReduceMean", x, axes=[-1])
        context = self.line(self.node("Add", mean, mean), f"{name}.linear1")
        mask = self.node("Sigmoid", self.line(self.node("Relu", context), f"{name}.linear2"))
        return self.node("Mul", local, mask)

    def statistics(self, x: str) -> str:
        """Give the mean and the deviation of each channel over all frames."""
        mean = self.node("ReduceMean", x, axes=[-1])
        squares = self.node("ReduceSumSquare", self.node("Sub", x, mean), axes=[-1])
        frames = self.node("Cast", self.node("Shape", x, start=2, end=3), to=TensorProto.FLOAT)
        others = self.node("Sub", frames, self.constant(np.array(1, np.float32)))
        return self.node("Concat", mean, self.node("Sqrt", self.node("Div", squares, others)), axis=1)
