"""Sounds to test with, each one unlike any other."""

import hashlib
import wave
from pathlib import Path

import numpy as np


def sound(path: Path, seconds: float, seed: int) -> str:
    """Write a WAV file of noise and give the text that the model `fake` answers to it."""
    samples = np.random.default_rng(seed).integers(-1000, 1000, round(seconds * 16_000), dtype="<i2").tobytes()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(samples)
    return f"fake {seconds:.1f}s {hashlib.sha256(samples).hexdigest()[:8]}"
