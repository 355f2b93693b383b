"""Tells apart who speaks in sound of one channel, by voiceprints of short windows. Pure: knows no network, no sound."""

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

# Windows of one person are 0.4 to 0.8 alike on average, those of two people 0.0 to 0.2.
ALIKE = 0.3
# A speaker of fewer windows is taken for noise, or for a moment when two speak at once.
FEWEST_SHARE, FEWEST_LOW, FEWEST_HIGH = 0.02, 2, 8
AT_ONCE = 400
REACH_S = 1.2
DISTANCE_COUNTS = 0.2


class SpeakerEmbedding(NamedTuple):
    """The voiceprint, of length 1, of the moments around `middle`, in seconds."""

    middle: float
    voiceprint: Floats


def assign_speakers(
    segments: Sequence[Segment],
    voices: Sequence[Sequence[SpeakerEmbedding]],
    speakers: Speakers,
    stop_if_cancelled: Callable[[], None] = lambda: None,
) -> tuple[Segment, ...]:
    """Name the speakers of all segments, given the voices in each; a segment is cut where another one goes on.

    Without words there is no telling where, and it is all of whom is heard most. One speaker alone has no name.
    What `stop_if_cancelled` raises, called for every few minutes of speech, comes out here.
    """
    voiceprints = [voice.voiceprint for heard in voices for voice in heard]
    number = None if isinstance(speakers, str) else speakers
    numbers = iter(cluster_embeddings(np.array(voiceprints), number, stop_if_cancelled).tolist())
    who = [[next(numbers) for _ in heard] for heard in voices]
    turns = [
        turn
        for segment, heard, numbers in zip(segments, voices, who, strict=True)
        for turn in _turns(segment, [voice.middle for voice in heard], numbers)
    ]
    # Who is never heard most has no turn, and no name.
    order = list(dict.fromkeys(speaker for _, speaker in turns if speaker is not None))
    if len(order) < 2:  # noqa: PLR2004 - one alone
        return tuple(segments)
    return tuple(
        turn if speaker is None else replace(turn, speaker=f"Speaker {order.index(speaker) + 1}")
        for turn, speaker in turns
    )


def cluster_embeddings(
    voiceprints: Floats, speakers: int | None = None, stop_if_cancelled: Callable[[], None] = lambda: None
) -> NDArray[np.int64]:
    """Give each voiceprint, a row of length 1, the number of its speaker, counted from 0 in the order of appearance.

    How many speakers there are is found out where it is not given.
    """
    if len(voiceprints) == 0:
        return np.empty(0, np.int64)
    groups = _Groups(voiceprints, np.ones(len(voiceprints)))
    centres = _centres(_condensed(groups, stop_if_cancelled), speakers)
    nearest = (voiceprints @ (centres / np.linalg.norm(centres, axis=1, keepdims=True)).T).argmax(axis=1)
    order = list(dict.fromkeys(nearest.tolist()))
    return np.array([order.index(number) for number in nearest])


class _Groups:
    """Voiceprints in groups, of which the two that are most alike on average can be joined."""

    def __init__(self, means: Floats, sizes: NDArray[np.float64]) -> None:
        self.means = means.copy()
        self.sizes = sizes.copy()

    def likeness(self) -> Floats:
        """Give the average likeness of the members of each two groups."""
        likeness: Floats = self.means @ self.means.T
        np.fill_diagonal(likeness, -np.inf)
        return likeness

    def larger(self, size: float) -> Floats:
        """Give the mean of each group that has so many members."""
        means: Floats = self.means[self.sizes >= size]
        return means

    def parts(self) -> Iterator[_Groups]:
        """Give the groups a few at a time."""
        for start in range(0, len(self.means), AT_ONCE):
            yield _Groups(self.means[start : start + AT_ONCE], self.sizes[start : start + AT_ONCE])

    def joined(self) -> Iterator[tuple[float, _Groups]]:
        """Join the two most alike again and again; give the groups before each, and how alike those two are."""
        likeness = self.likeness()
        means, sizes = self.means.copy(), self.sizes.copy()
        for _ in range(len(sizes) - 1):
            first, second = divmod(int(likeness.argmax()), len(sizes))
            yield float(likeness[first, second]), _Groups(means[sizes > 0], sizes[sizes > 0])
            share = sizes[first] / (sizes[first] + sizes[second])
            for rows in (likeness, means):
                rows[first] = share * rows[first] + (1 - share) * rows[second]
            likeness[:, first] = likeness[first]
            likeness[first, first] = likeness[second] = likeness[:, second] = -np.inf
            sizes[first], sizes[second] = sizes[first] + sizes[second], 0
        yield -np.inf, _Groups(means[sizes > 0], sizes[sizes > 0])


def _condensed(groups: _Groups, stop_if_cancelled: Callable[[], None]) -> _Groups:
    """Join what is near in time and most alike until there are few groups: hours would take too long at once."""
    while len(groups.sizes) > AT_ONCE:
        parts = []
        for part in groups.parts():
            stop_if_cancelled()
            parts.append(_at_most(part, AT_ONCE // 4))
        groups = _Groups(np.concatenate([part.means for part in parts]), np.concatenate([part.sizes for part in parts]))
    return groups


def _at_most(groups: _Groups, number: int) -> _Groups:
    """Join the groups until there are no more than `number`."""
    return next(state for _, state in groups.joined() if len(state.sizes) <= number)


def _until(groups: _Groups, alike: float) -> _Groups:
    """Join the groups as long as two are that alike."""
    return next(state for likeness, state in groups.joined() if likeness < alike)


def _centres(groups: _Groups, speakers: int | None) -> Floats:
    """Give the mean voiceprint of each speaker."""
    fewest = _fewest(groups)
    if speakers is None:
        alike = _until(groups, ALIKE)
        return alike.larger(min(fewest, alike.sizes.max()))
    best: Floats = groups.means.mean(axis=0, keepdims=True)
    for _, state in groups.joined():
        large = state.larger(fewest)
        if len(best) < len(large) or len(large) >= speakers:
            best = large
    return best


def _fewest(groups: _Groups) -> float:
    return min(max(FEWEST_LOW, FEWEST_SHARE * float(groups.sizes.sum())), FEWEST_HIGH)


def _turns(segment: Segment, middles: Sequence[float], who: Sequence[int]) -> Iterator[tuple[Segment, int | None]]:
    """Cut a segment where another speaker goes on; give each part and its speaker, None where no voice was heard."""
    if not who:
        yield segment, None
        return
    starts = [place.start for place in locate_words(segment.words, segment.text)]
    nearest = [who[int(np.abs(np.array(middles) - (word.start + word.end) / 2).argmin())] for word in segment.words]
    if not starts or len(set(nearest)) == 1:
        yield segment, _most(nearest or who)
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
        yield part, _most(nearest[first:end])


def _most(who: Sequence[int]) -> int:
    [(most, _)] = Counter(who).most_common(1)
    return most


def _cuts(words: Sequence[Word], who: Sequence[int]) -> Iterator[int]:
    """Give the words with which another speaker begins: near where the voice changes, after a long pause."""
    change = last = 0
    for _, same in groupby(who):
        near = [n for n in range(last + 1, len(words)) if abs(words[n].start - words[change].start) <= REACH_S]
        if change and near:
            last = max(near, key=partial(_fitness, words, change))
            yield last
        change += len(list(same))


def _fitness(words: Sequence[Word], change: int, number: int) -> float:
    """Tell how well a word fits as the first of the next speaker: the pause before it, less for those farther off."""
    pause_s = words[number].start - words[number - 1].end
    return pause_s - DISTANCE_COUNTS * abs(words[number].start - words[change].start)
