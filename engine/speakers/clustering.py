"""Speaker diarization: clusters speaker embeddings and names the speaker of each segment. Pure: no network, no audio.

Agglomerative clustering with average linkage on the cosine similarity.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.request import Speakers
from engine.scripts import locate_words
from engine.transcript import Segment, Word

Floats = NDArray[np.float32]

# Windows of one person have a mean cosine similarity of 0.4 to 0.8, those of two people 0.0 to 0.2.
MIN_SIMILARITY = 0.3
# A cluster of fewer windows is taken for noise, or for a moment when two speak at once.
MIN_SHARE, MIN_WINDOWS, MAX_MIN_WINDOWS = 0.02, 2, 8
MAX_CLUSTERS = 400  # the cost grows with the cube
MAX_SHIFT_S = 1.2
SHIFT_COST = 0.2


class SpeakerEmbedding(NamedTuple):
    """The speaker embedding of a short window: a vector of length 1, and the middle of the window in seconds."""

    middle_s: float
    vector: Floats


def assign_speakers(
    segments: Sequence[Segment],
    embeddings: Sequence[Sequence[SpeakerEmbedding]],
    speakers: Speakers,
    raise_if_cancelled: Callable[[], None] = lambda: None,
) -> tuple[Segment, ...]:
    """Name the speaker of each segment, given its embeddings; a segment is split where the speaker changes.

    A segment without words is not split: it goes to the speaker of most of its windows. A single speaker has no name.
    `raise_if_cancelled` is called for every few minutes of speech, and may raise.
    """
    vectors = [window.vector for windows in embeddings for window in windows]
    number = None if isinstance(speakers, str) else speakers
    labels = iter(cluster_embeddings(np.array(vectors), number, raise_if_cancelled).tolist())
    turns = [
        turn
        for segment, windows in zip(segments, embeddings, strict=True)
        for turn in _turns(segment, [window.middle_s for window in windows], [next(labels) for _ in windows])
    ]
    # A speaker who never has most windows of a turn has no turn, and no name.
    order = list(dict.fromkeys(speaker for _, speaker in turns if speaker is not None))
    if len(order) < 2:  # noqa: PLR2004 - a single speaker
        return tuple(segments)
    return tuple(
        turn if speaker is None else replace(turn, speaker=f"Speaker {order.index(speaker) + 1}")
        for turn, speaker in turns
    )


def cluster_embeddings(
    vectors: Floats, speakers: int | None = None, raise_if_cancelled: Callable[[], None] = lambda: None
) -> NDArray[np.int64]:
    """Give the speaker number of each embedding, counted from 0 in order of appearance.

    `vectors` are rows of length 1. Without `speakers`, the number of speakers is estimated.
    """
    if len(vectors) == 0:
        return np.empty(0, np.int64)
    clusters = _reduced(_Clusters(vectors, np.ones(len(vectors))), raise_if_cancelled)
    centroids = _centroids(clusters, speakers)
    nearest = (vectors @ (centroids / np.linalg.norm(centroids, axis=1, keepdims=True)).T).argmax(axis=1)
    order = list(dict.fromkeys(nearest.tolist()))
    return np.array([order.index(number) for number in nearest])


class _Clusters:
    """Clusters of embeddings as their means and sizes."""

    def __init__(self, means: Floats, sizes: NDArray[np.float64]) -> None:
        self.means = means.copy()
        self.sizes = sizes.copy()

    def similarities(self) -> Floats:
        """Give the mean similarity between the members of each two clusters."""
        similarities: Floats = self.means @ self.means.T
        np.fill_diagonal(similarities, -np.inf)
        return similarities

    def larger(self, size: float) -> Floats:
        """Give the mean of each cluster with at least `size` members."""
        means: Floats = self.means[self.sizes >= size]
        return means

    def parts(self) -> Iterator[_Clusters]:
        """Give the clusters a part at a time."""
        for start in range(0, len(self.means), MAX_CLUSTERS):
            yield _Clusters(self.means[start : start + MAX_CLUSTERS], self.sizes[start : start + MAX_CLUSTERS])

    def merges(self) -> Iterator[tuple[float, _Clusters]]:
        """Merge the two most similar clusters again and again; give the state before each, and their similarity."""
        similarities = self.similarities()
        means, sizes = self.means.copy(), self.sizes.copy()
        for _ in range(len(sizes) - 1):
            first, second = divmod(int(similarities.argmax()), len(sizes))
            yield float(similarities[first, second]), _Clusters(means[sizes > 0], sizes[sizes > 0])
            share = sizes[first] / (sizes[first] + sizes[second])
            for rows in (similarities, means):
                rows[first] = share * rows[first] + (1 - share) * rows[second]
            similarities[:, first] = similarities[first]
            similarities[first, first] = similarities[second] = similarities[:, second] = -np.inf
            sizes[first], sizes[second] = sizes[first] + sizes[second], 0
        yield -np.inf, _Clusters(means[sizes > 0], sizes[sizes > 0])


def _reduced(clusters: _Clusters, raise_if_cancelled: Callable[[], None]) -> _Clusters:
    """Merge clusters that are near in time until MAX_CLUSTERS are left.

    Merging all at once takes too long for hours of speech.
    """
    while len(clusters.sizes) > MAX_CLUSTERS:
        parts = []
        for part in clusters.parts():
            raise_if_cancelled()
            parts.append(_merge_to_number(part, MAX_CLUSTERS // 4))
        means, sizes = zip(*((part.means, part.sizes) for part in parts), strict=True)
        clusters = _Clusters(np.concatenate(means), np.concatenate(sizes))
    return clusters


def _merge_to_number(clusters: _Clusters, number: int) -> _Clusters:
    """Merge until there are at most `number` clusters."""
    return next(state for _, state in clusters.merges() if len(state.sizes) <= number)


def _merge_to_similarity(clusters: _Clusters, similarity: float) -> _Clusters:
    """Merge as long as two clusters are at least this similar."""
    return next(state for most, state in clusters.merges() if most < similarity)


def _centroids(clusters: _Clusters, speakers: int | None) -> Floats:
    """Give the mean embedding of each speaker."""
    min_size = _min_size(clusters)
    if speakers is None:
        merged = _merge_to_similarity(clusters, MIN_SIMILARITY)
        return merged.larger(min(min_size, merged.sizes.max()))
    best: Floats = clusters.means.mean(axis=0, keepdims=True)
    for _, state in clusters.merges():
        large = state.larger(min_size)
        if len(best) < len(large) or len(large) >= speakers:
            best = large
    return best


def _min_size(clusters: _Clusters) -> float:
    return min(max(MIN_WINDOWS, MIN_SHARE * float(clusters.sizes.sum())), MAX_MIN_WINDOWS)


def _turns(segment: Segment, middles_s: Sequence[float], labels: Sequence[int]) -> Iterator[tuple[Segment, int | None]]:
    """Split a segment where the speaker changes; give each part and its speaker, None where there is no window."""
    if not labels:
        yield segment, None
        return
    starts = [place.start for place in locate_words(segment.words, segment.text)]
    nearest = [
        labels[int(np.abs(np.array(middles_s) - (word.start + word.end) / 2).argmin())] for word in segment.words
    ]
    if not starts or len(set(nearest)) == 1:
        yield segment, _most_common(nearest or labels)
        return
    cuts = [0, *_cuts(segment.words, nearest), len(segment.words)]
    for first, end in pairwise(cuts):
        is_last = end == len(segment.words)
        text = segment.text[starts[first] if first else 0 : None if is_last else starts[end]].strip()
        part = replace(
            segment,
            start=segment.words[first].start if first else segment.start,
            end=segment.end if is_last else segment.words[end - 1].end,
            text=text,
            words=segment.words[first:end],
            events=() if first else segment.events,
            corrections=tuple(change for change in segment.corrections if change.written in text),
        )
        yield part, _most_common(nearest[first:end])


def _most_common(labels: Sequence[int]) -> int:
    [(label, _)] = Counter(labels).most_common(1)
    return label


def _cuts(words: Sequence[Word], labels: Sequence[int]) -> Iterator[int]:
    """Give the first word of each new speaker: near where the label changes, after a long pause."""
    change = last = 0
    for _, same in groupby(labels):
        near = [n for n in range(last + 1, len(words)) if abs(words[n].start - words[change].start) <= MAX_SHIFT_S]
        if change and near:
            last = max(near, key=partial(_fitness, words, change))
            yield last
        change += len(list(same))


def _fitness(words: Sequence[Word], change: int, number: int) -> float:
    """Rate a word as the first of the next speaker: the pause before it, less its distance from the change."""
    pause_s = words[number].start - words[number - 1].end
    return pause_s - SHIFT_COST * abs(words[number].start - words[change].start)
