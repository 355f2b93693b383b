"""Merges, splits and pads speech regions into chunks that a recognizer can take. Pure: numbers of samples, no sound.

Regions come and go in order and never overlap. All functions are iterators: hours need no more memory than minutes.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, pairwise
from typing import NamedTuple


class Region(NamedTuple):
    """From sample `start` up to, without, sample `end`."""

    start: int
    end: int

    @property
    def is_empty(self) -> bool:
        """Tell whether it marks a long silence: there is no speech up to here, and later regions start after it."""
        return self.start == self.end


class Chunk(NamedTuple):
    """What a recognizer takes at once: the speech, and the same padded with a margin."""

    speech: Region
    padded: Region


def merge_regions(regions: Iterable[Region], *, max_gap: int, max_length: int) -> Iterator[Region]:
    """Merge neighbours that are at most `max_gap` apart, as long as the result is no longer than `max_length`."""
    pending: Region | None = None
    for region in regions:
        if pending is None:
            pending = region
        elif region.start - pending.end <= max_gap and region.end - pending.start <= max_length:
            pending = Region(pending.start, region.end)
        else:
            yield pending
            pending = region
    if pending is not None:
        yield pending


def split_regions(
    regions: Iterable[Region], *, max_length: int, touching: int, quietest: Callable[[int, int], int]
) -> Iterator[Region]:
    """Split what is longer than `max_length` where `quietest(low, high)` says, leaving no short rest.

    The detector cut a region that starts at most `touching` after the one before, maybe within a word: both are taken
    as one, and split at a better place.
    """
    rest: Region | None = None
    for region in regions:
        whole = region
        if rest is not None and region.start - rest.end <= touching:
            whole = Region(rest.start, region.end)
        elif rest is not None:
            yield rest
        *ready, rest = _split(whole, max_length, quietest)
        yield from ready
    if rest is not None:
        yield rest


def _split(region: Region, max_length: int, quietest: Callable[[int, int], int]) -> Iterator[Region]:
    start = region.start
    while region.end - start > max_length:
        low = start + max_length // 2
        high = max(low + 1, min(start + max_length, region.end - max_length // 4))
        cut = min(max(quietest(low, high), low), high)
        yield Region(start, cut)
        start = cut
    yield Region(start, region.end)


def pad_regions(regions: Iterable[Region], *, margin: int, total: int) -> Iterator[Chunk]:
    """Give each region up to `margin` on both sides, within `total` samples; neighbours share the gap between them."""
    floor = 0
    for region, following in pairwise(chain(regions, [None])):
        if region is None:
            return
        ceiling = total if following is None else (region.end + following.start) // 2
        padded = Region(max(floor, region.start - margin), min(ceiling, region.end + margin))
        yield Chunk(region, padded)
        floor = ceiling


def trim_to_speech(chunk: Chunk, speech: Region, *, margin: int) -> Chunk:
    """Narrow a chunk to where its speech really is, padded by `margin`; the region that was detected stays inside.

    `speech` is found by loudness, and a soft beginning before loud music would be taken for quiet: the recognizer gets
    it all the same.
    """
    detected, padded = chunk
    start = min(detected.start, max(padded.start, speech.start - margin))
    end = max(detected.end, min(padded.end, speech.end + margin))
    return Chunk(speech, Region(start, end))
