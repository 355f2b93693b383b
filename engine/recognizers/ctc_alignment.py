"""Finds when each token of a known text was said, from a network's scores for every moment. Pure."""

import numpy as np
from numpy.typing import NDArray


def align(scores: NDArray[np.float32], tokens: NDArray[np.int64], *, blank: int) -> list[tuple[int, int]]:
    """Give each token's first frame and the one after its last; nothing where there are too few frames for all.

    `scores` are logarithms of probabilities, one row a frame and one column a token.
    """
    if len(tokens) == 0:
        return []
    states = np.full(2 * len(tokens) + 1, blank)
    states[1::2] = tokens
    emitted = scores[:, states]
    path = _best_path(emitted, _skippable(states, blank))
    if path is None:
        return []
    frames = [np.flatnonzero(path == state) for state in range(1, len(states), 2)]
    return [(int(spoken[0]), int(spoken[-1]) + 1) for spoken in frames]


def _skippable(states: NDArray[np.int64], blank: int) -> NDArray[np.bool_]:
    """Tell which states may follow the one two before them: a token after another one, without a blank between."""
    skippable = np.zeros(len(states), bool)
    skippable[2:] = (states[2:] != blank) & (states[2:] != states[:-2])
    return skippable


def _best_path(emitted: NDArray[np.float32], skippable: NDArray[np.bool_]) -> NDArray[np.int64] | None:
    count = emitted.shape[1]
    total = np.full(count, -np.inf)
    total[:2] = emitted[0, :2]
    steps = np.zeros(emitted.shape, np.int8)
    for frame in range(1, len(emitted)):
        choices = np.full((3, count), -np.inf)
        choices[0] = total
        choices[1, 1:] = total[:-1]
        choices[2, 2:] = np.where(skippable[2:], total[:-2], -np.inf)
        steps[frame] = choices.argmax(axis=0)
        total = choices.max(axis=0) + emitted[frame]
    state = count - 1 if total[-1] >= total[-2] else count - 2
    if np.isneginf(total[state]):
        return None
    path = np.empty(len(emitted), np.int64)
    for frame in reversed(range(len(emitted))):
        path[frame] = state
        state -= int(steps[frame, state])
    return path
