"""sherpa-onnx with SenseVoice, as its own Python example calls it. Runs in an environment of sherpa-onnx's own."""

from collections.abc import Callable

import numpy as np
import sherpa_onnx
import soundfile


def load(options: dict[str, str]) -> tuple[int, Callable[[list[str]], list[str]]]:
    """Load the network."""
    recognizer = sherpa_onnx.OfflineRecognizer.from_sense_voice(
        model=options["network"], tokens=options["tokens"], num_threads=int(options["threads"]), use_itn=True
    )

    def transcribe(files: list[str]) -> list[str]:
        texts = []
        for file in files:
            samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
            stream = recognizer.create_stream()
            stream.accept_waveform(rate, np.ascontiguousarray(samples[:, 0]))
            recognizer.decode_stream(stream)
            texts.append(stream.result.text)
        return texts

    return 1, transcribe
