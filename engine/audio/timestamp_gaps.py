"""Puts silence where a film has none of its sound, so that all the rest stays at the time that players show."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.audio.frame import AudioFrame
    from av.container import InputContainer

KEEP_TIMES = ("matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2")  # elsewhere sound lies end to end, whatever times it claims
SHORTEST_S = 0.1  # less is the delay of an encoder, or a time that was rounded
STEP = 16_000


def fill_timestamp_gaps(
    container: InputContainer, frames: Iterator[AudioFrame], *, limit_s: float
) -> Iterator[AudioFrame]:
    """Give the frames, with silence before those that come later than the one before them ends.

    A time that lies before that end, or beyond `limit_s`, is wrong: such a frame follows at once.
    """
    return _filled(frames, container_start_s(container), limit_s) if container.format.name in KEEP_TIMES else frames


def container_start_s(container: InputContainer) -> float:
    """Give the time at which players begin to count: that of the first picture or sound."""
    import av  # noqa: PLC0415 - only the decoder's own process loads it

    return (container.start_time or 0) / av.time_base


def _filled(frames: Iterator[AudioFrame], container_start_s: float, limit_s: float) -> Iterator[AudioFrame]:
    end_s = 0.0
    for frame in frames:
        begin_s = end_s if (time := frame.time) is None else time - container_start_s
        if end_s + SHORTEST_S < begin_s <= limit_s:
            yield from _silence(frame, round((begin_s - end_s) * frame.sample_rate))
            end_s = begin_s
        yield frame
        end_s += frame.samples / frame.sample_rate


def _silence(like: AudioFrame, samples: int) -> Iterator[AudioFrame]:
    import av  # noqa: PLC0415 - as above

    nothing = b"\x80" if like.format.name in {"u8", "u8p"} else b"\0"
    for begin in range(0, samples, STEP):
        frame = av.AudioFrame(like.format.name, like.layout.name, min(STEP, samples - begin))
        frame.sample_rate = like.sample_rate
        for plane in frame.planes:
            plane.update(nothing * plane.buffer_size)
        yield frame
