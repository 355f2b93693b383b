"""Makes sound files of every kind for the tests, with the libraries that read them."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from numpy.typing import NDArray

from engine.audio import SAMPLE_RATE
from engine.audio.channels import Channel
from engine.audio.samples import Audio


def tone(seconds: float, *, hertz: float = 440.0, rate: int = SAMPLE_RATE, channels: int = 1) -> NDArray[np.int16]:
    """Give a sine of half the full scale, shape (frames, channels)."""
    times = np.arange(round(seconds * rate)) / rate
    wave = (np.sin(2 * np.pi * hertz * times) * 16_000).astype(np.int16)
    return np.repeat(wave[:, np.newaxis], channels, axis=1)


def mono(audio: Audio) -> NDArray[np.int16]:
    """Give the mix of all channels, as a model takes it."""
    return Channel(audio).samples(0, len(audio.samples))


def write_sound(  # noqa: PLR0913 - files differ in much
    path: Path,
    samples: NDArray[np.int16],
    *,
    codec: str = "pcm_s16le",
    rate: int = SAMPLE_RATE,
    form: str | None = None,
    bit_rate: int | None = None,
) -> Path:
    """Encode samples of shape (frames, channels) as the path's suffix or `form` says."""
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[samples.shape[1]]
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        assert isinstance(stream, av.AudioStream)
        if bit_rate:
            stream.bit_rate = bit_rate
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout=layout)
        frame.sample_rate = rate
        frame.pts = 0
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return path


def write_silent_opus(path: Path, seconds: int) -> Path:
    """Write hours of silence in a moment: the packets are all the same, so one is encoded and repeated."""
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format = 48_000, "mono", "s16"
    encoder.options = {"frame_duration": "60"}
    encoder.open()
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 2880), np.int16), format="s16", layout="mono")
    frame.sample_rate = 48_000
    silence = bytes(next(packet for _ in range(9) for packet in encoder.encode(frame)))
    with av.open(str(path), "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=48_000, layout="mono")
        for number in range(round(seconds / 0.06)):
            packet = av.Packet(silence)
            packet.stream, packet.pts, packet.dts, packet.duration = stream, number * 2880, number * 2880, 2880
            packet.time_base = Fraction(1, 48_000)
            container.mux(packet)
    return path


def write_film(  # noqa: PLR0913 - films differ in much
    path: Path,
    *,
    sound: NDArray[np.int16] | None,
    codec: str = "aac",
    later: Callable[[float], float] = lambda _: 0.0,
    pictures: bool = True,
    live: bool = False,
) -> Path:
    """Write half a second of moving pictures, with or without sound.

    `later` tells by how many seconds the sound of a moment lies later than it would end to end. A `live` film does not
    tell its length.
    """
    with av.open(str(path), "w", options={"live": "1"} if live else {}) as container:
        canvas = container.add_stream("mpeg4", rate=10) if pictures else None
        track = None if sound is None else container.add_stream(codec, rate=SAMPLE_RATE, layout="mono")
        if isinstance(canvas, av.VideoStream):
            _paint(container, canvas)
        if isinstance(track, av.AudioStream) and sound is not None:
            for packet in _packets(track, sound):
                pts = packet.pts or 0
                packet.pts = packet.dts = pts + round(later(float(pts * packet.time_base)) / packet.time_base)
                container.mux(packet)
    return path


def _paint(container: OutputContainer, canvas: av.VideoStream) -> None:
    canvas.width, canvas.height, canvas.pix_fmt = 64, 64, "yuv420p"
    for number in range(5):
        picture = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 50 * number, np.uint8), format="rgb24")
        picture.pts = number
        container.mux(canvas.encode(picture))
    container.mux(canvas.encode(None))


def _packets(track: av.AudioStream, sound: NDArray[np.int16]) -> Iterator["av.Packet[av.AudioStream]"]:
    """Encode sound of one channel by tenths of a second, so that it can be moved in time from any of them on."""
    for begin in range(0, len(sound), SAMPLE_RATE // 10):
        frame = av.AudioFrame.from_ndarray(sound[begin : begin + SAMPLE_RATE // 10].reshape(1, -1), layout="mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE, begin
        yield from track.encode(frame)
    yield from track.encode(None)
