"""Loads the recognizer for a torch model by the class in its folder's configuration, and tests it once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from engine.audio import SAMPLE_RATE
from engine.errors import DeviceMissing, ModelBroken, PrecisionMissing
from engine.hub.model_class import FUN_ASR_NANO_CLASS, SENSEVOICE_CLASS, read_model_class
from engine.hub.requirements import BF16_CLASSES
from engine.pipeline.transcribe import Recognizer, SpeechDetector
from engine.recognizers.fun_asr_nano import FunAsrNano
from engine.recognizers.funasr_adapter import FunasrNetwork, first_line, load_network
from engine.recognizers.funasr_generic import GenericFunasr
from engine.recognizers.funasr_isolation import isolated_process_state
from engine.recognizers.paraformer import Paraformer
from engine.recognizers.sensevoice_torch import Arithmetic, load_sensevoice
from engine.recognizers.whisper import WhisperModel, load_whisper
from engine.request import Request
from engine.runtime.cores import cores
from engine.runtime.cpu import cpu_flags, has_bf16
from engine.settings import EngineSettings
from engine.vad.detector import VoiceActivityDetector

if TYPE_CHECKING:
    from torch import nn
    from whisper.model import Whisper

Loaded = TypeVar("Loaded")

MAX_THREADS = 4
TRIAL_SAMPLES = SAMPLE_RATE


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelParts:
    """The folders, or the Whisper file, of a recognition model and of what it needs."""

    recognizer: Path
    vad: Path
    punctuation: Path | None


def load(name: str, parts: ModelParts, settings: EngineSettings) -> Recognizer:
    """Load a FunASR model folder or a Whisper file with its detector and punctuation, from local files only.

    Raises:
        ModelFault: files are missing or damaged, or the machine lacks what the settings ask for.
    """
    device = _device(settings.device)
    kind = read_model_class(parts.recognizer)
    arithmetic = _arithmetic(name, kind, settings.precision, device)
    threads = settings.threads or min(MAX_THREADS, cores())
    model = _Loader(name, device, arithmetic, threads).load(kind, parts, VoiceActivityDetector.load(name, parts.vad))
    try:
        with isolated_process_state():
            model.recognize(_noise(), Request())  # some damage shows only in use, and the first use is slow
    except Exception as broken:
        reason = first_line(broken)
        if isinstance(model, GenericFunasr):
            reason = f"FunASR's {kind} gives no text for sound ({reason})"
        raise ModelBroken(path=str(parts.recognizer), model=name, reason=reason) from broken
    return model


@dataclass(frozen=True, slots=True)
class _Loader:
    name: str
    device: str
    arithmetic: Arithmetic
    threads: int

    def load(self, kind: str, parts: ModelParts, vad: SpeechDetector) -> Recognizer:
        if parts.recognizer.suffix == ".pt":
            return WhisperModel(self._whisper(parts.recognizer), vad)
        network = self._network(parts.recognizer)
        if kind == SENSEVOICE_CLASS and (self.device != "cpu" or self.arithmetic == "bf16"):
            return self._sensevoice(network, parts.recognizer, vad)
        if kind.startswith("Whisper"):
            return WhisperModel(network.module.model, vad)
        if "Paraformer" in kind:
            return Paraformer(network, vad, None if parts.punctuation is None else self._network(parts.punctuation))
        if kind == FUN_ASR_NANO_CLASS:
            return FunAsrNano(network, vad, self.arithmetic)
        return GenericFunasr(network, vad)

    def _network(self, folder: Path) -> FunasrNetwork:
        return load_network(self.name, folder, device=self.device, threads=self.threads)

    def _whisper(self, path: Path) -> Whisper:
        return self._loaded(path, lambda: load_whisper(path, self.device))

    def _sensevoice(self, network: FunasrNetwork, folder: Path, vad: SpeechDetector) -> Recognizer:
        module = cast("nn.Module", network.module)
        return self._loaded(
            folder, lambda: load_sensevoice(module, folder, vad, device=self.device, arithmetic=self.arithmetic)
        )

    def _loaded(self, path: Path, load: Callable[[], Loaded]) -> Loaded:
        """Load without FunASR, which elsewhere sets the number of threads and reports what is broken."""
        import torch  # noqa: PLC0415 - only where a model is loaded

        torch.set_num_threads(self.threads)
        try:
            return load()
        except Exception as broken:
            raise ModelBroken(path=str(path), model=self.name, reason=first_line(broken)) from broken


def _arithmetic(name: str, kind: str, asked: str, device: str) -> Arithmetic:
    """Choose bf16 where the model and the device support it: on a CPU only if it is asked for.

    Raises:
        PrecisionMissing: the model or the device does not support `asked`.
    """
    can = kind in BF16_CLASSES and (_gpu_has_bf16() if device.startswith("cuda") else has_bf16(cpu_flags()))
    if asked == "int8" or (asked == "bf16" and not can):
        raise PrecisionMissing(model=name, precision=asked)
    return "bf16" if asked == "bf16" or (asked == "auto" and can and device != "cpu") else "fp32"


def _gpu_has_bf16() -> bool:
    import torch  # noqa: PLC0415 - only where a model is loaded

    return bool(torch.cuda.is_bf16_supported())


def _noise() -> NDArray[np.int16]:
    return np.random.default_rng(0).normal(0, 3_000, TRIAL_SAMPLES).astype(np.int16)


def _device(asked: str) -> str:
    """Choose the device. For one that is missing, FunASR itself would silently use the CPU."""
    import torch  # noqa: PLC0415 - only where a model is loaded

    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=asked)
    except (RuntimeError, AssertionError, NotImplementedError) as missing:
        raise DeviceMissing(device=asked) from missing
    return asked
