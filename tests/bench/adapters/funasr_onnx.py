"""funasr-onnx with SenseVoice, as its README calls it. Runs in an environment of funasr-onnx's own.

It turns everything but WAV into WAV with ffmpeg first; that is spared it here, and librosa decodes as it does for WAV.
"""

from collections.abc import Callable

import librosa
from funasr_onnx import SenseVoiceSmall

RATE = 16_000


def load(options: dict[str, str]) -> tuple[int, Callable[[list[str]], list[str]]]:
    """Load the network."""
    model = SenseVoiceSmall(
        options["folder"],
        batch_size=1,
        quantize=options["precision"] == "int8",
        intra_op_num_threads=int(options["threads"]),
    )

    def transcribe(files: list[str]) -> list[str]:
        return [text(model, file) for file in files]

    return 1, transcribe


def text(model: SenseVoiceSmall, file: str) -> str:
    """Transcribe one file."""
    samples, _ = librosa.load(file, sr=RATE)
    return str(model(samples, language="auto", textnorm="withitn")[0])
