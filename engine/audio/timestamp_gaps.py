"""Inserts silence for gaps between packet timestamps, so that all sound stays at the time that players show."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.audio.frame import AudioFrame
    from av.container import InputContainer

# In other formats frames follow each other, whatever their timestamps say.
FORMATS_WITH_TIMESTAMPS = ("matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2")
MIN_GAP_S = 0.1  # less is the delay of an encoder, or a rounded timestamp
FRAME_SAMPLES = 16_000


def fill_timestamp_gaps(
    container: InputContainer, frames: Iterator[AudioFrame], *, limit_s: float
) -> Iterator[AudioFrame]:
    """Give the frames, with silence before each that starts later than the one before it ends.

    A timestamp before that end, or beyond `limit_s`, is wrong: such a frame follows without a gap.
    """
    if container.format.name not in FORMATS_WITH_TIMESTAMPS:
        return frames
    return _fill(frames, container_start_s(container), limit_s)


def container_start_s(container: InputContainer) -> float:
    """Give the timestamp, in seconds, at which players start: that of the first picture or sound."""
    import av  # noqa: PLC0415 - only the decoder's own process loads it

    return (container.start_time or 0) / av.time_base


def _fill(frames: Iterator[AudioFrame], zero_s: float, limit_s: float) -> Iterator[AudioFrame]:
    end_s = 0.0
    for frame in frames:
        start_s = end_s if (time := frame.time) is None else time - zero_s
        if end_s + MIN_GAP_S < start_s <= limit_s:
            yield from _silence(frame, round((start_s - end_s) * frame.sample_rate))
            end_s = start_s
        yield frame
        end_s += frame.samples / frame.sample_rate


def _silence(like: AudioFrame, samples: int) -> Iterator[AudioFrame]:
    import av  # noqa: PLC0415 - as above

    zero = b"\x80" if like.format.name in {"u8", "u8p"} else b"\0"
    for start in range(0, samples, FRAME_SAMPLES):
        frame = av.AudioFrame(like.format.name, like.layout.name, min(FRAME_SAMPLES, samples - start))
        frame.sample_rate = like.sample_rate
        for plane in frame.planes:
            plane.update(zero * plane.buffer_size)
        yield frame
