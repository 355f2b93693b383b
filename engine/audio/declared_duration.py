"""Reads the duration that a file's header declares, to notice files that are cut off. Knows nothing of decoding."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

from engine.audio.timestamp_gaps import container_start_s

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer

MARGIN_S = 1.0
MARGIN = 0.05
_STREAMED = 0x7F00_0000  # sizes from here on, and 0, are written where the length is not known yet
_SAME_RATE = 0.95
_CHUNKS = 100
_FIRST_CHUNK = 12


def declared_duration(source: int, container: InputContainer, track: AudioStream) -> float:
    """Give the duration in seconds that the header of the file behind `source` declares; 0 where it declares none.

    Call it before the track is decoded. Ogg, AAC and AMR have no such header, and players guess.
    """
    import av  # noqa: PLC0415 - only the decoder's own process loads it

    own_s = float((track.duration or 0) * (track.time_base or 0))
    match container.format.name:
        case "wav":
            return _wav_s(source, track.bit_rate or 0)
        case "flac":
            return own_s
        case "mp3":
            return 0.0 if _is_estimated(container, track) else own_s
        case "mov,mp4,m4a,3gp,3g2,mj2":
            return own_s if track.frames else 0.0  # fragmented files list no frames: their duration is not final
        case "matroska,webm":  # the duration of the whole file: its pictures may go on
            is_declared = len(container.streams) == 1 and track.duration is None
            return (container.duration or 0) / av.time_base - container_start_s(container) if is_declared else 0.0
    return 0.0


def is_clearly_longer(declared_s: float, read_s: float) -> bool:
    """Tell whether so much of the declared duration is missing that a listener would notice."""
    return declared_s - read_s > max(MARGIN_S, MARGIN * declared_s)


def _wav_s(source: int, bit_rate: int) -> float:
    """Read the declared duration of a WAV file that is cut off; 0 for a whole one.

    FFmpeg itself gives only the duration of what is there.
    """
    at = _FIRST_CHUNK
    for _ in range(_CHUNKS):
        head = os.pread(source, 8, at)
        if len(head) < 8:  # noqa: PLR2004 - a name and a size
            break
        name, size = struct.unpack("<4sI", head)
        at += 8
        if name == b"data":
            is_cut = os.fstat(source).st_size - at < size < _STREAMED
            return 8 * size / bit_rate if is_cut and bit_rate else 0.0
        at += size + size % 2
    return 0.0


def _is_estimated(container: InputContainer, track: AudioStream) -> bool:
    """Tell whether FFmpeg estimated the duration from size and bit rate: a cut file's header declares more."""
    return container.bit_rate >= _SAME_RATE * (track.bit_rate or 0)
