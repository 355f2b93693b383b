from importlib import import_module
from itertools import groupby, product
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from engine.recognizers import funasr_adapter
from engine.recognizers.funasr_adapter import align_tokens
from engine.recognizers.funasr_isolation import isolated_process_state

if TYPE_CHECKING:
    import torch

BLANK = 0
TOKENS = st.lists(st.integers(1, 3), min_size=1, max_size=3)


@pytest.fixture(scope="module", autouse=True)
def funasr() -> None:
    with isolated_process_state():
        import_module("funasr")


def tensor(values: NDArray[np.float32] | NDArray[np.int64]) -> "torch.Tensor":
    import torch  # noqa: PLC0415 - takes seconds, and every process of xdist imports this file

    return torch.from_numpy(values)


def align(log_probs: NDArray[np.float32], tokens: NDArray[np.int64]) -> list[tuple[int, int]]:
    return align_tokens(tensor(log_probs), tensor(tokens), BLANK)


def scores(seed: int, frames: int) -> NDArray[np.float32]:
    return np.log(np.random.default_rng(seed).dirichlet(np.ones(4), frames)).astype(np.float32)


def collapsed(path: tuple[int, ...]) -> list[int]:
    return [token for token, _ in groupby(path) if token != BLANK]


def spans(path: tuple[int, ...]) -> list[tuple[int, int]]:
    found, frame = [], 0
    for token, group in groupby(path):
        length = len(list(group))
        if token != BLANK:
            found.append((frame, frame + length))
        frame += length
    return found


@given(TOKENS, st.integers(1, 6), st.integers(0, 1_000))
def test_it_is_the_best_of_all_ways_to_say_the_tokens(tokens: list[int], frames: int, seed: int) -> None:
    table = scores(seed, frames)
    ways = [path for path in product(range(4), repeat=frames) if collapsed(path) == tokens]
    found = align(table, np.array(tokens))
    if not ways:
        assert found == []
        return
    best = max(ways, key=lambda path: sum(float(table[frame, token]) for frame, token in enumerate(path)))
    assert found == spans(best)


def test_a_long_text_is_found_too() -> None:
    """Say 150 tokens for two frames each, with a blank after each."""
    said = np.random.default_rng(0).integers(1, 4, 150)
    table = np.full((450, 4), -9.0, np.float32)
    table[np.arange(450), np.stack([said, said, np.zeros_like(said)], axis=1).reshape(-1)] = -0.1
    assert align(table, said) == [(start, start + 2) for start in range(0, 450, 3)]


def test_nothing_was_said() -> None:
    assert align(scores(0, 5), np.array([], np.int64)) == []


def test_scores_on_a_gpu_and_tokens_on_the_processor_are_brought_together() -> None:
    class OnGpu:
        """Scores that can be used only once they were brought to the processor."""

        def float(self) -> "OnGpu":
            return self

        def cpu(self) -> "torch.Tensor":
            return tensor(scores(0, 5))

    found = funasr_adapter._forced_align(cast("torch.Tensor", OnGpu()), tensor(np.array([1])), BLANK)  # noqa: SLF001 - what FunASR calls
    assert [item["token"] for item in found] == [1]
