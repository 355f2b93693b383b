"""Decodes and resamples an audio track to 16 kHz 16-bit samples. Knows nothing of the sandbox that it runs in."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, groupby
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from engine.audio import SAMPLE_RATE
from engine.audio.containers import MAX_SAMPLE_RATE, MIN_SAMPLE_RATE, open_audio_track
from engine.audio.declared_duration import declared_duration, is_clearly_longer
from engine.audio.timestamp_gaps import container_start_s, fill_timestamp_gaps
from engine.errors import AudioTooLong, AudioTooShort, AudioUnreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from numpy.typing import NDArray

MIN_MS = 100
FULL_SCALE = 32_768


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What was written: `channels` is 1 or 2; `declared_s` is the duration that the file declares, if clearly more."""

    channels: int
    declared_s: float | None


def decode(source: int, sink: BinaryIO, *, max_audio_s: float) -> Decoded:
    """Decode the file behind the descriptor `source` to `sink`, as interleaved samples.

    Whatever can be read of a damaged file is written.

    Raises:
        AudioFault: it cannot be read, or is shorter or longer than allowed.
    """
    too_long = AudioTooLong(limit_min=round(max_audio_s / 60))
    with open_audio_track(source) as (container, track):
        if _is_longer_than(container, track, max_audio_s):
            raise too_long
    with open_audio_track(source) as (container, track):
        declared_s = declared_duration(source, container, track)
        frames = fill_timestamp_gaps(container, _frames(container, track), limit_s=max_audio_s)
        first = next(frames, None)
        if first is None:
            raise AudioUnreadable
        channels = 2 if first.layout.nb_channels == 2 else 1  # noqa: PLR2004 - stereo
        written = 0
        for samples in _resampled(first, frames, "stereo" if channels == 2 else "mono"):  # noqa: PLR2004 - stereo
            written += samples.size // channels
            if written > max_audio_s * SAMPLE_RATE:
                raise too_long
            sink.write(samples.tobytes())
    if written * 1000 < MIN_MS * SAMPLE_RATE:
        raise AudioTooShort(min_ms=MIN_MS)
    read_s = written / SAMPLE_RATE
    is_incomplete = declared_s <= max_audio_s and is_clearly_longer(declared_s, read_s)
    return Decoded(channels=channels, declared_s=round(declared_s, 2) if is_incomplete else None)


def _is_longer_than(container: InputContainer, track: AudioStream, seconds: float) -> bool:
    """Tell whether there is audio after `seconds`, by seeking: the duration in a header may be wrong."""
    import av  # noqa: PLC0415 - only the decoder's own process loads it

    header_s = (container.duration or 0) / av.time_base
    if header_s <= seconds:
        return False
    limit_s = container_start_s(container) + seconds
    try:
        container.seek(int(limit_s * av.time_base), backward=False)
        packet = next(container.demux(track))
    except (av.FFmpegError, StopIteration):
        return False
    return packet.size > 0 and packet.pts is not None and packet.pts * float(track.time_base or 0) > limit_s


def _frames(container: InputContainer, track: AudioStream) -> Iterator[AudioFrame]:
    """Decode the packets in order; bad ones are skipped."""
    import av  # noqa: PLC0415 - only the decoder's own process loads it

    track.codec_context.thread_count = 1
    packets = container.demux(track)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except MemoryError:
            raise
        except av.FFmpegError:  # the container itself is broken from here on
            return
        try:
            yield from packet.decode()
        except MemoryError:  # one of FFmpeg's errors as well
            raise
        except av.FFmpegError:
            continue


def _resampled(first: AudioFrame, rest: Iterator[AudioFrame], layout: str) -> Iterator[NDArray[np.int16]]:
    """Resample to 16 kHz. The format may change on the way (joined files): each stretch has its own resampler."""
    import av  # noqa: PLC0415 - only the decoder's own process loads it

    try:
        for (rate, *_), frames in groupby(chain([first], rest), _format):
            if not MIN_SAMPLE_RATE <= rate <= MAX_SAMPLE_RATE:
                raise AudioUnreadable
            resampler = av.AudioResampler(format="flt", layout=layout, rate=SAMPLE_RATE)
            for merged in _merged(frames, rate):
                yield from _as_int16(resampler.resample(merged))
            yield from _as_int16(resampler.resample(None))
    except MemoryError:
        raise
    except (av.FFmpegError, ValueError) as unconvertible:
        raise AudioUnreadable from unconvertible


def _merged(frames: Iterator[AudioFrame], samples: int) -> Iterator[AudioFrame]:
    """Merge the short frames of a voice note to longer ones, because each call costs more than their audio."""
    import av  # noqa: PLC0415 - as above

    fifo = av.AudioFifo()
    for frame in frames:
        frame.pts = None  # a wrong time is no reason to refuse it
        fifo.write(frame)
        if fifo.samples >= samples and (joined := fifo.read()):
            yield joined
    if joined := fifo.read():
        yield joined


def _format(frame: AudioFrame) -> tuple[int, str, str]:
    return frame.sample_rate, frame.format.name, frame.layout.name


def _as_int16(frames: list[AudioFrame]) -> Iterator[NDArray[np.int16]]:
    """Round to 16 bit; what is not a number becomes silence. 16-bit audio at 16 kHz comes out bit by bit as it was."""
    for frame in frames:
        scaled = np.rint(np.nan_to_num(frame.to_ndarray()[0], copy=False) * FULL_SCALE)
        yield np.clip(scaled, -FULL_SCALE, FULL_SCALE - 1).astype("<i2")
