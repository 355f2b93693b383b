"""Where somebody speaks, as pieces that a model can take. Pure: knows no sound, only numbers of samples.

Regions come and go in order and never overlap, as iterators, so that hours of sound need no more memory than minutes.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, pairwise
from typing import NamedTuple


class Region(NamedTuple):
    """From sample `start` up to sample `end`."""

    start: int
    end: int

    @property
    def is_empty(self) -> bool:
        """Tell whether nobody speaks in it: a long silence lasts up to here, and what is found later begins later."""
        return self.start == self.end


class Chunk(NamedTuple):
    """What a model hears at once: the speech, and the same with a margin around it."""

    spoken: Region
    heard: Region


def joined(regions: Iterable[Region], *, max_gap: int, max_length: int) -> Iterator[Region]:
    """Join neighbours with at most `max_gap` between them, as long as they are no longer than `max_length` together."""
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


def split(
    regions: Iterable[Region], *, max_length: int, touching: int, quietest: Callable[[int, int], int]
) -> Iterator[Region]:
    """Cut what is longer than `max_length` where `quietest(low, high)` says, leaving no short rest.

    A region that begins at most `touching` after the one before was cut off from it by force, maybe within a word:
    both are taken as one, and cut at a better place.
    """
    rest: Region | None = None
    for region in regions:
        whole = region
        if rest is not None and region.start - rest.end <= touching:
            whole = Region(rest.start, region.end)
        elif rest is not None:
            yield rest
        *ready, rest = _cut(whole, max_length, quietest)
        yield from ready
    if rest is not None:
        yield rest


def _cut(region: Region, max_length: int, quietest: Callable[[int, int], int]) -> Iterator[Region]:
    start = region.start
    while region.end - start > max_length:
        low = start + max_length // 2
        high = max(low + 1, min(start + max_length, region.end - max_length // 4))
        cut = min(max(quietest(low, high), low), high)
        yield Region(start, cut)
        start = cut
    yield Region(start, region.end)


def padded(regions: Iterable[Region], *, margin: int, total: int) -> Iterator[Chunk]:
    """Give each region up to `margin` on both sides; neighbours share what is between them."""
    floor = 0
    for region, following in pairwise(chain(regions, [None])):
        if region is None:
            return
        ceiling = total if following is None else (region.end + following.start) // 2
        heard = Region(max(floor, region.start - margin), min(ceiling, region.end + margin))
        yield Chunk(region, heard)
        floor = ceiling


def trim_to_speech(piece: Chunk, spoken: Region, *, margin: int) -> Chunk:
    """Say where within a piece the speech really is, with `margin` around that; what was found is heard all the same.

    Sound is quiet only beside other sound: who begins softly and is drowned in music later is not to lose a word.
    """
    found, heard = piece
    start = min(found.start, max(heard.start, spoken.start - margin))
    end = max(found.end, min(heard.end, spoken.end + margin))
    return Chunk(spoken, Region(start, end))
