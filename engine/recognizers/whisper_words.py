"""When Whisper heard each word: where its decoder's attention was while it wrote, as one path through text and time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.transcript import Word

if TYPE_CHECKING:
    import torch
    from whisper.model import Whisper
    from whisper.tokenizer import Tokenizer

FRAME_S = 0.02
SHORTEST_S = 0.04
SMOOTHED_FRAMES = 7


def word_times(
    network: Whisper, features: torch.Tensor, tokens: tuple[int, ...], *, language: str, seconds: float
) -> tuple[Word, ...]:
    """Give the words of `tokens` with their seconds in the piece, at the cost of one more step of the decoder."""
    from whisper.tokenizer import get_tokenizer  # noqa: PLC0415 - only where a model is loaded

    tokenizer = get_tokenizer(
        network.is_multilingual, num_languages=network.num_languages, language=language, task="transcribe"
    )
    text = [token for token in tokens if token < tokenizer.eot]
    attention = _attention(network, tokenizer, features, text, frames=max(1, round(seconds / FRAME_S)))
    starts = first_columns(-attention) * FRAME_S
    spelled, parts = tokenizer.split_to_word_tokens([*text, tokenizer.eot])
    bounds = np.cumsum([0, *map(len, parts[:-1])])
    timed = [
        Word(start=float(starts[begin]), end=float(starts[end]), text=word)
        for word, begin, end in zip(spelled, bounds, bounds[1:], strict=False)
    ]
    return lasting(_with_punctuation(timed))


def first_columns(costs: NDArray[np.float64]) -> NDArray[np.int64]:
    """Find the cheapest path from corner to corner that never goes back: the column where it enters each row."""
    totals = np.empty_like(costs)
    before = np.full(costs.shape[1], np.inf)
    before[0] = 0.0
    for row, cost in enumerate(costs):
        entered = before if row == 0 else np.minimum(before, np.r_[np.inf, before[:-1]])
        along = np.cumsum(cost)
        before = totals[row] = along + np.minimum.accumulate(entered - along + cost)
    return _entries(totals)


def _entries(totals: NDArray[np.float64]) -> NDArray[np.int64]:
    row, column = totals.shape[0] - 1, totals.shape[1] - 1
    entries = np.zeros(totals.shape[0], np.int64)
    while row > 0:
        along = totals[row, column - 1] if column else np.inf
        above = totals[row - 1, max(0, column - 1) : column + 1]
        if along <= above.min():
            column -= 1
            continue
        entries[row] = column
        column -= int(above.argmin() == 0 and len(above) > 1)
        row -= 1
    return entries


def _attention(
    network: Whisper, tokenizer: Tokenizer, features: torch.Tensor, text: list[int], *, frames: int
) -> NDArray[np.float64]:
    """Let the decoder read its own text again, and give how much each token looked at each of the first `frames`."""
    import torch  # noqa: PLC0415 - only where a model is loaded
    from whisper.model import disable_sdpa  # noqa: PLC0415 - as above
    from whisper.timing import median_filter  # noqa: PLC0415 - as above

    seen: dict[int, torch.Tensor] = {}
    hooks = [
        block.cross_attn.register_forward_hook(lambda _, __, out, layer=layer: seen.__setitem__(layer, out[-1][0]))
        for layer, block in enumerate(network.decoder.blocks)
    ]
    prompt = [*tokenizer.sot_sequence, tokenizer.no_timestamps]
    try:
        with torch.inference_mode(), disable_sdpa():
            network.decoder(torch.tensor([[*prompt, *text, tokenizer.eot]], device=network.device), features)
    finally:
        for hook in hooks:
            hook.remove()
    heads = torch.stack([seen[int(layer)][int(head)] for layer, head in network.alignment_heads.indices().T])
    weights = heads[..., :frames].float().softmax(dim=-1)
    spread, mean = torch.std_mean(weights, dim=-2, keepdim=True, unbiased=False)
    smooth = median_filter((weights - mean) / spread, SMOOTHED_FRAMES).mean(dim=0)[len(tokenizer.sot_sequence) : -1]
    attention: NDArray[np.float64] = smooth.cpu().numpy().astype(np.float64)
    return attention


def _with_punctuation(timed: list[Word]) -> tuple[Word, ...]:
    """Put marks to the word that they belong to, which keeps its own time."""
    words: list[Word] = []
    opening = ""
    for word in timed:
        text = word.text.strip()
        if any(map(str.isalnum, text)):
            words.append(Word(start=word.start, end=word.end, text=opening + text))
            opening = ""
        elif word.text.startswith(" ") or not words:
            opening += text
        else:
            words[-1] = Word(start=words[-1].start, end=words[-1].end, text=words[-1].text + text)
    return tuple(words)


def lasting(words: Sequence[Word]) -> tuple[Word, ...]:
    """Let a word that the path gave no time share that of its longer neighbour, as many letters as each has."""
    shared = list(words)
    for place, word in enumerate(words):
        if word.end - word.start >= SHORTEST_S or len(words) == 1:
            continue
        beside = (near for near in (place - 1, place + 1) if 0 <= near < len(words))
        first, last = sorted((place, max(beside, key=lambda near: shared[near].end - shared[near].start)))
        start, end, letters = shared[first].start, shared[last].end, len(shared[first].text)
        middle = start + (end - start) * letters / (letters + len(shared[last].text))
        shared[first] = replace(shared[first], end=middle)
        shared[last] = replace(shared[last], start=middle)
    return tuple(shared)
