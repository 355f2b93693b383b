"""Word times for Whisper: dynamic time warping over the cross-attention of its decoder.

The method is that of `whisper.timing` in openai-whisper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.scripts import has_letters
from engine.transcript import Word

if TYPE_CHECKING:
    import torch
    from whisper.model import Whisper
    from whisper.tokenizer import Tokenizer

FRAME_S = 0.02
MIN_WORD_S = 0.04
SMOOTHED_FRAMES = 7


def word_times(
    network: Whisper, features: torch.Tensor, tokens: tuple[int, ...], *, language: str, seconds: float
) -> tuple[Word, ...]:
    """Give the words of `tokens` with their times in the chunk, in seconds. Costs one more pass of the decoder."""
    from whisper.tokenizer import get_tokenizer  # noqa: PLC0415 - only where a model is loaded

    tokenizer = get_tokenizer(
        network.is_multilingual, num_languages=network.num_languages, language=language, task="transcribe"
    )
    text = [token for token in tokens if token < tokenizer.eot]
    attention = _attention(network, tokenizer, features, text, frames=max(1, round(seconds / FRAME_S)))
    starts = first_frames(-attention) * FRAME_S
    spelled, parts = tokenizer.split_to_word_tokens([*text, tokenizer.eot])
    bounds = np.cumsum([0, *map(len, parts[:-1])])
    timed = [
        Word(start=float(starts[begin]), end=float(starts[end]), text=word)
        for word, begin, end in zip(spelled, bounds, bounds[1:], strict=False)
    ]
    return share_durations(_with_punctuation(timed))


def first_frames(costs: NDArray[np.float64]) -> NDArray[np.int64]:
    """Dynamic time warping: give the column where the cheapest monotonic path enters each row."""
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
    """Run the decoder over its own text, and give each token's attention to each of the first `frames`."""
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
    """Attach punctuation to the word that it belongs to, which keeps its own time."""
    words: list[Word] = []
    opening = ""
    for word in timed:
        text = word.text.strip()
        if has_letters(text):
            words.append(Word(start=word.start, end=word.end, text=opening + text))
            opening = ""
        elif word.text.startswith(" ") or not words:
            opening += text
        else:
            words[-1] = Word(start=words[-1].start, end=words[-1].end, text=words[-1].text + text)
    return tuple(words)


def share_durations(words: Sequence[Word]) -> tuple[Word, ...]:
    """Let a word with no duration share that of its longer neighbour, in proportion to their letters."""
    shared = list(words)
    for place, word in enumerate(words):
        if word.end - word.start >= MIN_WORD_S or len(words) == 1:
            continue
        beside = (near for near in (place - 1, place + 1) if 0 <= near < len(words))
        first, last = sorted((place, max(beside, key=lambda near: shared[near].end - shared[near].start)))
        start, end, letters = shared[first].start, shared[last].end, len(shared[first].text)
        middle = start + (end - start) * letters / (letters + len(shared[last].text))
        shared[first] = replace(shared[first], end=middle)
        shared[last] = replace(shared[last], start=middle)
    return tuple(shared)
