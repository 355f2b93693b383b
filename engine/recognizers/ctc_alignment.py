"""CTC forced alignment: the frames of each token of a known text, by the Viterbi algorithm. Pure."""

import numpy as np
from numpy.typing import NDArray


def align(log_probs: NDArray[np.float32], tokens: NDArray[np.int64], *, blank: int) -> list[tuple[int, int]]:
    """Return each token's first frame and the frame after its last one.

    Args:
        log_probs: The network's output, float32 [frames, vocabulary].
        tokens: The text, int64 [tokens].
        blank: The number of CTC's blank token.

    Returns:
        One pair a token; empty where the text needs more frames than there are.
    """
    if len(tokens) == 0:
        return []
    states = np.full(2 * len(tokens) + 1, blank)
    states[1::2] = tokens
    path = _best_path(log_probs[:, states], _skippable(states, blank))
    if path is None:
        return []
    frames = [np.flatnonzero(path == state) for state in range(1, len(states), 2)]
    return [(int(of_token[0]), int(of_token[-1]) + 1) for of_token in frames]


def _skippable(states: NDArray[np.int64], blank: int) -> NDArray[np.bool_]:
    """Mark states that may follow the one two before them: a token after a different one, without a blank between."""
    skippable = np.zeros(len(states), bool)
    skippable[2:] = (states[2:] != blank) & (states[2:] != states[:-2])
    return skippable


def _best_path(emissions: NDArray[np.float32], skippable: NDArray[np.bool_]) -> NDArray[np.int64] | None:
    """Return the likeliest state of each frame, None where no path reaches the end."""
    count = emissions.shape[1]
    total = np.full(count, -np.inf)
    total[:2] = emissions[0, :2]
    steps = np.zeros(emissions.shape, np.int8)
    for frame in range(1, len(emissions)):
        choices = np.full((3, count), -np.inf)
        choices[0] = total
        choices[1, 1:] = total[:-1]
        choices[2, 2:] = np.where(skippable[2:], total[:-2], -np.inf)
        steps[frame] = choices.argmax(axis=0)
        total = choices.max(axis=0) + emissions[frame]
    state = count - 1 if total[-1] >= total[-2] else count - 2
    if np.isneginf(total[state]):
        return None
    path = np.empty(len(emissions), np.int64)
    for frame in reversed(range(len(emissions))):
        path[frame] = state
        state -= int(steps[frame, state])
    return path
