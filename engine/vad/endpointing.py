"""Tells where speech begins and ends from one yes or no for every 10 ms. Pure: knows no sound and no network.

The rules are those of FunASR's end-point detector: a window smooths the answers; speech begins a while before the
window fills with them, and ends when it has been empty for long enough.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from engine.vad.chunking import Region

LONG_SILENCE = 3_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointConfig:
    """How long each thing takes, in frames of 10 ms.

    Speech begins with `onset` frames of the last `window`, `lead` before these; the window is quiet again with no more
    than `offset` in it. After `silence` such frames speech has ended, `trail` after the first. None is `longest`.
    """

    window: int
    onset: int
    offset: int
    lead: int
    silence: int
    trail: int
    longest: int


class Endpointer:
    """Follows one recording. Regions are counted in frames; an empty one ends each half minute of silence."""

    def __init__(self, patience: EndpointConfig) -> None:
        """Begin a recording."""
        self._patience = patience
        self._frame = -1
        self._floor = 0
        self._listen()

    def feed(self, spoken: Iterable[bool]) -> Iterator[Region]:
        """Take the next frames and give the regions that end in them."""
        for is_spoken in spoken:
            self._frame += 1
            if (end := self._end_after(is_spoken)) is not None:
                yield self._region(end)
            elif self._start is None and self._earliest - self._floor > LONG_SILENCE:
                self._floor = self._earliest
                yield Region(self._floor, self._floor)

    def finish(self) -> Iterator[Region]:
        """Give the region that the recording's end cuts off, if there is one."""
        if self._start is not None:
            yield self._region(self._frame)

    def _listen(self) -> None:
        """Wait for speech as if nothing had been heard."""
        self._recent = deque([False] * self._patience.window)
        self._heard = 0
        self._is_loud = False
        self._start: int | None = None
        self._quiet = 0

    def _end_after(self, is_spoken: bool) -> int | None:  # noqa: FBT001 - a frame is nothing else
        """Take one frame and give the last one of the region that ends now."""
        was_loud, self._is_loud = self._is_loud, self._smoothed(is_spoken)
        if self._start is None:
            if self._is_loud:
                self._start = max(self._floor, self._earliest)
            return None
        self._quiet = 0 if was_loud or self._is_loud else self._quiet + 1
        if self._quiet >= self._patience.silence:
            return self._frame - max(0, self._patience.silence - self._patience.trail - 1)
        return self._frame if self._frame - self._start >= self._patience.longest else None

    @property
    def _earliest(self) -> int:
        """Where speech begins that is noticed in this frame."""
        return self._frame - self._patience.window - self._patience.lead

    def _smoothed(self, is_spoken: bool) -> bool:  # noqa: FBT001 - as above
        self._heard += is_spoken - self._recent.popleft()
        self._recent.append(is_spoken)
        return self._heard > self._patience.offset if self._is_loud else self._heard >= self._patience.onset

    def _region(self, last: int) -> Region:
        region = Region(self._start or 0, last + 1)
        self._floor = last + 1
        self._listen()
        return region
