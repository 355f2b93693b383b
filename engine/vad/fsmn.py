"""The network of fsmn-vad in plain numpy: how likely each sound is in each frame. Knows no files and no samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from engine.runtime.torch_files import Floats

Memory = list[Floats]


class _Affine(NamedTuple):
    weight: Floats
    bias: Floats

    def __call__(self, rows: Floats) -> Floats:
        result = rows @ self.weight
        result += self.bias
        return result


class _Layer(NamedTuple):
    """A layer with a memory: each channel of its projection is mixed with that channel's last values."""

    projection: Floats
    mix: Floats
    affine: _Affine

    def __call__(self, rows: Floats, past: Floats) -> tuple[Floats, Floats]:
        """Give the result, and what is past for the next rows."""
        projected = np.concatenate([past, rows @ self.projection])
        recent = sliding_window_view(projected, len(self.mix), axis=0)
        return _rectified(self.affine(np.einsum("tcn,nc->tc", recent, self.mix))), projected[len(rows) :]


class Network(NamedTuple):
    """The weights. Threads may share them: what is remembered of a recording is handed in."""

    entry: tuple[_Affine, _Affine]
    layers: tuple[_Layer, ...]
    exit: tuple[_Affine, _Affine]

    @classmethod
    def of(cls, weights: Mapping[str, Floats], layers: int) -> Self:
        """Put the arrays of fsmn-vad's model.pt in their places.

        Raises:
            KeyError: one is missing.
        """
        return cls(
            entry=(_affine(weights, "in_linear1"), _affine(weights, "in_linear2")),
            layers=tuple(_layer(weights, f"fsmn.{number}") for number in range(layers)),
            exit=(_affine(weights, "out_linear1"), _affine(weights, "out_linear2")),
        )

    def nothing_heard(self) -> Memory:
        """Give the memory of a recording that begins."""
        return [np.zeros_like(layer.mix[1:]) for layer in self.layers]

    def __call__(self, rows: Floats, memory: Memory) -> Floats:
        """Give the probability of each sound for each row, and bring `memory` up to date."""
        hidden = _rectified(_through(self.entry, rows))
        for number, layer in enumerate(self.layers):
            hidden, memory[number] = layer(hidden, memory[number])
        outputs = _through(self.exit, hidden)
        likely: Floats = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        likely /= likely.sum(axis=1, keepdims=True)
        return likely


def _rectified(rows: Floats) -> Floats:
    return np.maximum(rows, 0, out=rows)


def _through(steps: tuple[_Affine, ...], rows: Floats) -> Floats:
    for step in steps:
        rows = step(rows)
    return rows


def _affine(weights: Mapping[str, Floats], name: str) -> _Affine:
    return _Affine(_matrix(weights, name), weights[f"encoder.{name}.linear.bias"])


def _matrix(weights: Mapping[str, Floats], name: str) -> Floats:
    return np.ascontiguousarray(weights[f"encoder.{name}.linear.weight"].T)


def _layer(weights: Mapping[str, Floats], name: str) -> _Layer:
    mix = weights[f"encoder.{name}.fsmn_block.conv_left.weight"][:, 0, :, 0].T.copy()
    mix[-1] += 1  # a value also goes by its mix as it is
    return _Layer(_matrix(weights, f"{name}.linear"), mix, _affine(weights, f"{name}.affine"))
