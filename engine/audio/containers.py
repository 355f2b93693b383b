"""Opens the audio track of an untrusted file: only known formats and codecs, and never any other file or address."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.errors import AudioUnreadable, NoAudioTrack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.audio.stream import AudioStream
    from av.container import InputContainer

MIN_SAMPLE_RATE = 4_000
MAX_SAMPLE_RATE = 384_000

# No playlists (hls, dash, concat …): they make the demuxer open other files and addresses.
DEMUXERS = "aac,ac3,aiff,amr,amrnb,amrwb,au,caf,flac,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,ogg,w64,wav"
CODECS = (
    "aac,aac_latm,ac3,adpcm_ima_qt,adpcm_ima_wav,adpcm_ms,alac,amrnb,amrwb,eac3,flac,gsm,gsm_ms,"
    "libopencore_amrnb,libopencore_amrwb,libopus,libspeex,libvorbis,mp1,mp1float,mp2,mp2float,mp3,mp3float,opus,"
    "pcm_alaw,pcm_f32be,pcm_f32le,pcm_f64be,pcm_f64le,pcm_mulaw,pcm_s16be,pcm_s16le,pcm_s24be,pcm_s24le,"
    "pcm_s32be,pcm_s32le,pcm_s8,pcm_u8,speex,vorbis"
)


@contextmanager
def open_audio_track(descriptor: int) -> Iterator[tuple[InputContainer, AudioStream]]:
    """Open the file behind `descriptor` and give its container and its best audio track.

    Raises:
        AudioUnreadable: its format or codec is not allowed here.
        NoAudioTrack: a video without sound.
    """
    container = _open(descriptor)
    with container:
        track = container.streams.best("audio")
        if track is None:
            raise NoAudioTrack
        if track.codec_context.name not in CODECS.split(","):
            raise AudioUnreadable
        yield container, track  # type: ignore[misc]  # best("audio") gives an audio stream; PyAV types it more widely


def _open(descriptor: int) -> InputContainer:
    import av  # noqa: PLC0415 - only the decoder's own process loads it

    try:
        return av.open(
            f"file:/dev/fd/{descriptor}",
            container_options={
                "protocol_whitelist": "file",
                "format_whitelist": DEMUXERS,
                "codec_whitelist": CODECS,
            },
        )
    except MemoryError:  # one of FFmpeg's errors as well
        raise
    except (av.FFmpegError, ValueError) as unreadable:
        raise AudioUnreadable from unreadable
