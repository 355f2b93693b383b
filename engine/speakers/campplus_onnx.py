"""Writes CAM++, the speaker embedding network, as ONNX straight from its checkpoint. Knows no audio.

Input: `features`, float32 [batch, frames of 10 ms, 80 log mel energies], at most 2 s; output: `voiceprint`, float32
[batch, 192].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count, takewhile

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from engine.runtime.onnx_graph import GraphBuilder, Tensors

# As in FunASR, funasr/models/campplus/model.py and components.py.
MELS, EMBEDDING_SIZE = 80, 192
DILATIONS = (1, 2, 2)  # of the three dense blocks
EPSILON = 1e-5


def campplus_onnx(weights: Mapping[str, NDArray[np.float32]]) -> bytes:
    """Return the network as the content of an ONNX file.

    Raises:
        KeyError: Weights are missing.
    """
    graph = GraphBuilder()
    campplus = _Campplus(weights, graph)
    graph.node("Identity", campplus.voiceprint(campplus.mels()), output="voiceprint")
    inputs: Tensors = {"features": (TensorProto.FLOAT, ["batch", "frames", MELS])}
    outputs: Tensors = {"voiceprint": (TensorProto.FLOAT, ["batch", EMBEDDING_SIZE])}
    content: bytes = graph.model("campplus", inputs, outputs).SerializeToString()
    return content


@dataclass(frozen=True, slots=True)
class _Campplus:
    """The network's layers as nodes. Methods take and return the names of node outputs."""

    weights: Mapping[str, NDArray[np.float32]]
    graph: GraphBuilder

    def mels(self) -> str:
        """Turn the features into an image of one channel, mels by frames."""
        turned = self.graph.node("Transpose", "features", perm=[0, 2, 1])
        return self.graph.node("Unsqueeze", turned, self.graph.integers(1))

    def voiceprint(self, image: str) -> str:
        """Run the two-dimensional head (FCM), the dense blocks (D-TDNN), and the statistics over all frames."""
        x = self.graph.node("Relu", self.batch_norm(self.conv2d(image, "head.conv1"), "head.bn1"))
        for layer in ("layer1", "layer2"):
            x = self.residual(self.residual(x, f"head.{layer}.0", stride=2), f"head.{layer}.1", stride=1)
        x = self.graph.node("Relu", self.batch_norm(self.conv2d(x, "head.conv2", stride=2), "head.bn2"))
        x = self.graph.node(
            "Reshape", x, self.graph.integers(0, self.weights["xvector.tdnn.linear.weight"].shape[1], -1)
        )
        x = self.batch_norm_relu(self.conv1d(x, "xvector.tdnn.linear", stride=2, pad=2), "xvector.tdnn.nonlinear")
        for number, dilation in enumerate(DILATIONS, start=1):
            x = self.dense_block(x, f"xvector.block{number}", dilation)
            x = self.conv1d(
                self.batch_norm_relu(x, f"xvector.transit{number}.nonlinear"), f"xvector.transit{number}.linear"
            )
        x = self.conv1d(self.statistics(self.batch_norm_relu(x, "xvector.out_nonlinear")), "xvector.dense.linear")
        x = self.graph.node("Squeeze", x, self.graph.integers(-1))
        return self.batch_norm(x, "xvector.dense.nonlinear.batchnorm")

    def constant(self, name: str) -> str:
        """Add the weight of this name."""
        return self.graph.constant(self.weights[name])

    def conv2d(self, x: str, name: str, *, stride: int = 1, pad: int = 1) -> str:
        """Convolve an image; a stride takes fewer mels, never fewer frames."""
        return self.graph.node("Conv", x, self.constant(f"{name}.weight"), strides=[stride, 1], pads=[pad] * 4)

    def conv1d(self, x: str, name: str, *, stride: int = 1, pad: int = 0, dilation: int = 1) -> str:
        """Convolve along the frames."""
        bias = [self.constant(f"{name}.bias")] if f"{name}.bias" in self.weights else []
        weight = self.constant(f"{name}.weight")
        return self.graph.node("Conv", x, weight, *bias, strides=[stride], pads=[pad, pad], dilations=[dilation])

    def batch_norm(self, x: str, name: str) -> str:
        """Normalise by the mean and variance of training; scale and shift where the checkpoint has them."""
        mean, variance = (self.constant(f"{name}.running_{kind}") for kind in ("mean", "var"))
        size = self.weights[f"{name}.running_mean"].shape
        scale = self.weights.get(f"{name}.weight", np.ones(size, np.float32))
        shift = self.weights.get(f"{name}.bias", np.zeros(size, np.float32))
        affine = map(self.graph.constant, (scale, shift))
        return self.graph.node("BatchNormalization", x, *affine, mean, variance, epsilon=EPSILON)

    def batch_norm_relu(self, x: str, name: str) -> str:
        """Normalise, then ReLU."""
        return self.graph.node("Relu", self.batch_norm(x, f"{name}.batchnorm"))

    def residual(self, x: str, name: str, *, stride: int) -> str:
        """Add the result of two convolutions to their input, as ResNet does."""
        inner = self.graph.node("Relu", self.batch_norm(self.conv2d(x, f"{name}.conv1", stride=stride), f"{name}.bn1"))
        inner = self.batch_norm(self.conv2d(inner, f"{name}.conv2"), f"{name}.bn2")
        if f"{name}.shortcut.0.weight" in self.weights:
            x = self.batch_norm(self.conv2d(x, f"{name}.shortcut.0", stride=stride, pad=0), f"{name}.shortcut.1")
        return self.graph.node("Relu", self.graph.node("Add", inner, x))

    def dense_block(self, x: str, name: str, dilation: int) -> str:
        """Run dense layers: each takes the outputs of all before it."""
        layers = (f"{name}.tdnnd{number}" for number in count(1))
        for layer in takewhile(lambda layer: f"{layer}.linear1.weight" in self.weights, layers):
            inner = self.conv1d(self.batch_norm_relu(x, f"{layer}.nonlinear1"), f"{layer}.linear1")
            inner = self.batch_norm_relu(inner, f"{layer}.nonlinear2")
            x = self.graph.node("Concat", x, self.context_mask(inner, f"{layer}.cam_layer", dilation), axis=1)
        return x

    def context_mask(self, x: str, name: str, dilation: int) -> str:
        """Convolve, and weigh each channel by its context: its mean over all frames plus that over 2 s, here one."""
        local = self.conv1d(x, f"{name}.linear_local", pad=dilation, dilation=dilation)
        mean = self.graph.node("ReduceMean", x, axes=[-1])
        context = self.conv1d(self.graph.node("Add", mean, mean), f"{name}.linear1")
        mask = self.graph.node("Sigmoid", self.conv1d(self.graph.node("Relu", context), f"{name}.linear2"))
        return self.graph.node("Mul", local, mask)

    def statistics(self, x: str) -> str:
        """Return the mean and standard deviation of each channel over all frames."""
        mean = self.graph.node("ReduceMean", x, axes=[-1])
        squares = self.graph.node("ReduceSumSquare", self.graph.node("Sub", x, mean), axes=[-1])
        frames = self.graph.node("Cast", self.graph.node("Shape", x, start=2, end=3), to=TensorProto.FLOAT)
        others = self.graph.node("Sub", frames, self.graph.constant(np.array(1, np.float32)))
        return self.graph.node("Concat", mean, self.graph.node("Sqrt", self.graph.node("Div", squares, others)), axis=1)
