"""The fsmn-vad network in numpy: features to the probability of each sound in each frame. Knows no files, no audio."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from engine.runtime.torch_files import Floats

State = list[Floats]


class _Affine(NamedTuple):
    weight: Floats
    bias: Floats

    def __call__(self, rows: Floats) -> Floats:
        result = rows @ self.weight
        result += self.bias
        return result


class _Layer(NamedTuple):
    """One FSMN layer (feed-forward sequential memory network): a projection, and a filter over its last values."""

    projection: Floats
    mix: Floats
    affine: _Affine

    def __call__(self, rows: Floats, past: Floats) -> tuple[Floats, Floats]:
        """Give the result, and the last values for the next call."""
        projected = np.concatenate([past, rows @ self.projection])
        recent = sliding_window_view(projected, len(self.mix), axis=0)
        return _relu(self.affine(np.einsum("tcn,nc->tc", recent, self.mix))), projected[len(rows) :]


class FsmnNetwork(NamedTuple):
    """The weights. Threads may share them: the caller keeps the state of each recording."""

    entry: tuple[_Affine, _Affine]
    layers: tuple[_Layer, ...]
    exit: tuple[_Affine, _Affine]

    @classmethod
    def from_weights(cls, weights: Mapping[str, Floats], layers: int) -> Self:
        """Take the arrays of fsmn-vad's model.pt.

        Raises:
            KeyError: one is missing.
        """
        return cls(
            entry=(_affine(weights, "in_linear1"), _affine(weights, "in_linear2")),
            layers=tuple(_layer(weights, f"fsmn.{number}") for number in range(layers)),
            exit=(_affine(weights, "out_linear1"), _affine(weights, "out_linear2")),
        )

    def initial_state(self) -> State:
        """Give the state at the beginning of a recording: the last values of each layer, all zero."""
        return [np.zeros_like(layer.mix[1:]) for layer in self.layers]

    def __call__(self, rows: Floats, state: State) -> Floats:
        """Give the probability of each sound for each row of features, and update `state`."""
        hidden = _relu(_through(self.entry, rows))
        for number, layer in enumerate(self.layers):
            hidden, state[number] = layer(hidden, state[number])
        outputs = _through(self.exit, hidden)
        probabilities: Floats = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        return probabilities


def _relu(rows: Floats) -> Floats:
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
    mix[-1] += 1  # a residual connection
    return _Layer(_matrix(weights, f"{name}.linear"), mix, _affine(weights, f"{name}.affine"))
