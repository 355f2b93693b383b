"""Finds where speech starts and ends, from one yes or no for every 10 ms. Pure: knows no sound and no network.

The rules are those of FunASR's end-point detector (`funasr/models/fsmn_vad_streaming`): a sliding window smooths the
answers; speech starts a while before the window fills with them, and ends when it has been empty for long enough.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from engine.vad.chunking import Region

LONG_SILENCE = 3_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointConfig:
    """The lengths that decide, in frames of 10 ms.

    Speech is noticed with `onset` speech frames among the last `window`, and starts `lead` before the window; the
    window is quiet again with at most `offset` in it. After `silence` such frames speech has ended, `trail` after the
    first of them. No region is longer than `longest`.
    """

    window: int
    onset: int
    offset: int
    lead: int
    silence: int
    trail: int
    longest: int


class Endpointer:
    """Follows one recording. Regions are counted in frames; an empty one marks each half minute of silence."""

    def __init__(self, config: EndpointConfig) -> None:
        """Start a recording."""
        self._config = config
        self._frame = -1
        self._floor = 0
        self._reset()

    def feed(self, speech: Iterable[bool]) -> Iterator[Region]:
        """Take the next frames and give the regions that end in them."""
        for is_speech in speech:
            self._frame += 1
            if (end := self._end_after(is_speech)) is not None:
                yield self._region(end)
            elif self._start is None and self._earliest - self._floor > LONG_SILENCE:
                self._floor = self._earliest
                yield Region(self._floor, self._floor)

    def finish(self) -> Iterator[Region]:
        """Give the region that the end of the recording cuts off, if there is one."""
        if self._start is not None:
            yield self._region(self._frame)

    def _reset(self) -> None:
        """Wait for speech with an empty window."""
        self._window = deque([False] * self._config.window)
        self._speech_in_window = 0
        self._is_loud = False
        self._start: int | None = None
        self._quiet = 0

    def _end_after(self, is_speech: bool) -> int | None:  # noqa: FBT001 - a frame is nothing else
        """Take one frame and give the last one of the region that ends now."""
        was_loud, self._is_loud = self._is_loud, self._smoothed(is_speech)
        if self._start is None:
            if self._is_loud:
                self._start = max(self._floor, self._earliest)
            return None
        self._quiet = 0 if was_loud or self._is_loud else self._quiet + 1
        if self._quiet >= self._config.silence:
            return self._frame - max(0, self._config.silence - self._config.trail - 1)
        return self._frame if self._frame - self._start >= self._config.longest else None

    @property
    def _earliest(self) -> int:
        """Where speech starts that is noticed in this frame."""
        return self._frame - self._config.window - self._config.lead

    def _smoothed(self, is_speech: bool) -> bool:  # noqa: FBT001 - as above
        self._speech_in_window += is_speech - self._window.popleft()
        self._window.append(is_speech)
        needed = self._config.offset + 1 if self._is_loud else self._config.onset
        return self._speech_in_window >= needed

    def _region(self, last: int) -> Region:
        region = Region(self._start or 0, last + 1)
        self._floor = last + 1
        self._reset()
        return region
