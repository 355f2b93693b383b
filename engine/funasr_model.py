"""The one file that touches FunASR, Whisper and torch: their dictionaries, milliseconds and moods end here.

FunASR looks for updates on the network, prints, sets thread counts, hides that files are missing, and is not
thread-safe: all of that is kept away here. What it does to the rest of the process, `taming` undoes.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.cores import cores
from engine.errors import DeviceMissing, ModelBroken, PrecisionMissing
from engine.languages import SENSEVOICE
from engine.reading import Reading
from engine.regions import Region
from engine.settings import EngineSettings
from engine.taming import tamed

if TYPE_CHECKING:
    from funasr import AutoModel
    from whisper.model import Whisper

SAMPLES_PER_MS = 16
SHORTEST_SAMPLES = 3_200
MAX_THREADS = 4
TRIAL_SAMPLES = 16_000
END_SILENCE_MS = 800
MISSING_WEIGHTS = ("miss key in ckpt", "init_param does not exist")

WHISPER_PIECE_S = 29.5
WHISPER_JOINED_S = 25.0
PIECE_S = 20.0
JOINED_S = 10.0

# OpenAI's own thresholds, from whisper.transcribe.
NO_SPEECH = 0.6
LOW_LOGPROB = -1.0
LOOPING = 2.4

_TAG = re.compile(r"<\|([^|]*)\|>")


class FunasrModel:
    """A recogniser and a voice activity detector, used by one thread at a time."""

    def __init__(self, *, vad: AutoModel, recogniser: AutoModel, punctuation: AutoModel | None) -> None:
        """Take what `load` loaded."""
        self._lock = threading.Lock()
        self._vad = vad
        self._recogniser = recogniser
        self._punctuation = punctuation
        self._whisper = _whisper_within(recogniser)
        self.max_piece_s = PIECE_S if self._whisper is None else WHISPER_PIECE_S
        self.joined_s = JOINED_S if self._whisper is None else WHISPER_JOINED_S

    def speech(self, blocks: Iterable[NDArray[np.int16]]) -> Iterator[Region]:
        """Find speech in the blocks of one recording, with memory of one block only."""
        cache: dict[str, object] = {}
        begun_ms = 0
        for block, is_last in _with_last(blocks):
            for start_ms, end_ms in self._detect(block, cache, is_last=is_last):
                begun_ms = start_ms if start_ms >= 0 else begun_ms
                if end_ms > begun_ms:
                    yield Region(begun_ms * SAMPLES_PER_MS, end_ms * SAMPLES_PER_MS)

    def read(self, samples: NDArray[np.int16], language: str | None, hotwords: tuple[str, ...]) -> Reading:
        """Read a piece of speech. `hotwords` have to be sanitised."""
        waveform = _waveform(samples)
        with self._lock:
            if self._whisper is not None:
                return _read_with_whisper(self._whisper, waveform, language, hotwords)
            return self._read_with_funasr(waveform, language, hotwords)

    def _detect(self, block: NDArray[np.int16], cache: dict[str, object], *, is_last: bool) -> list[tuple[int, int]]:
        with self._lock:
            found = self._vad.generate(
                input=_waveform(block),
                cache=cache,
                is_final=is_last,
                is_streaming_input=True,
                chunk_size=max(len(block), 1) // SAMPLES_PER_MS,
                max_end_silence_time=END_SILENCE_MS,
            )
        return [(int(start), int(end)) for start, end in found[0]["value"]]

    def _read_with_funasr(
        self, waveform: NDArray[np.float32], language: str | None, hotwords: tuple[str, ...]
    ) -> Reading:
        options: dict[str, object] = {"hotword": " ".join(hotwords)} if hotwords else {}
        results = self._recogniser.generate(input=waveform, language=language or "auto", use_itn=True, **options)
        raw = str(results[0]["text"]) if results else ""
        tags = _TAG.findall(raw)
        text = _TAG.sub("", raw).strip()
        if "nospeech" in tags or not text:
            return Reading("", "")
        return Reading(self._punctuated(text), language or next((tag for tag in tags if tag in SENSEVOICE), ""))

    def _punctuated(self, text: str) -> str:
        """Add punctuation. As a list, because FunASR takes a bare string for a path or an address first."""
        if self._punctuation is None:
            return text
        results = self._punctuation.generate(input=[text])
        return str(results[0]["text"]).strip() if results else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The folders, or the Whisper file, that a model is made of."""

    recogniser: Path
    vad: Path
    punctuation: Path | None


def load(name: str, parts: Parts, settings: EngineSettings) -> FunasrModel:
    """Load a FunASR folder or a Whisper file with what it needs, from local files only.

    Raises:
        ModelFault: files are missing or damaged, or the machine lacks what the settings ask for.
    """
    if settings.precision not in {"auto", "fp32"}:
        raise PrecisionMissing(model=name, precision=settings.precision)
    for path in (parts.vad, parts.recogniser):
        _check_files(name, path)
    options: dict[str, object] = {
        "device": _device(settings.device),
        "ncpu": settings.threads or min(MAX_THREADS, cores()),
    }
    model = FunasrModel(
        vad=_load(name, parts.vad, options | {"max_end_silence_time": END_SILENCE_MS}),
        recogniser=_load(name, parts.recogniser, options),
        punctuation=None if parts.punctuation is None else _load(name, parts.punctuation, options),
    )
    _try_out(name, model, parts)
    return model


def _try_out(name: str, model: FunasrModel, parts: Parts) -> None:
    """Use every part once: some damage shows only then, and the first use is slow."""
    noise = np.random.default_rng(0).normal(0, 3_000, TRIAL_SAMPLES).astype(np.int16)
    path = parts.vad
    try:
        with tamed():
            list(model.speech([noise]))
            path = parts.recogniser
            model.read(noise, None, ())
    except Exception as broken:
        raise ModelBroken(path=str(path), model=name, reason=_first_line(broken)) from broken


def _load(name: str, path: Path, options: dict[str, object]) -> AutoModel:
    printed = io.StringIO()
    try:
        with tamed(), contextlib.redirect_stdout(printed):
            loaded = _auto_model()(
                model=str(path),
                hub="openai" if path.suffix == ".pt" else "ms",
                disable_update=True,
                disable_pbar=True,
                log_level="ERROR",
                ignore_init_mismatch=False,
                **options,
            )
    except Exception as broken:
        raise ModelBroken(path=str(path), model=name, reason=_first_line(broken)) from broken
    if any(complaint in printed.getvalue() for complaint in MISSING_WEIGHTS):
        raise ModelBroken(path=str(path), model=name, reason="its weights do not fit its config.yaml")
    frontend = loaded.kwargs.get("frontend")
    if hasattr(frontend, "dither"):
        frontend.dither = 0.0  # else the same sound gives another text each time
    return loaded


def _read_with_whisper(
    network: Whisper, waveform: NDArray[np.float32], language: str | None, hotwords: tuple[str, ...]
) -> Reading:
    """Call Whisper's own decoding: FunASR's keeps neither the language nor how sure the model is."""
    import whisper  # noqa: PLC0415 - only where a model is loaded

    mel = whisper.log_mel_spectrogram(whisper.pad_or_trim(waveform), network.dims.n_mels).to(network.device)
    options: dict[str, object] = {
        "language": language or (None if network.is_multilingual else "en"),
        "without_timestamps": True,
        "fp16": network.device.type == "cuda",
        # As a sentence: Whisper writes on in the manner of its prompt, and after bare words it leaves out punctuation.
        "prompt": f"Glossary: {', '.join(hotwords)}." if hotwords else None,
    }
    result = whisper.decode(network, mel, whisper.DecodingOptions(**options))
    if result.compression_ratio > LOOPING or result.avg_logprob < LOW_LOGPROB:
        result = whisper.decode(network, mel, whisper.DecodingOptions(**options, beam_size=5))
    is_silence = result.no_speech_prob > NO_SPEECH and result.avg_logprob < LOW_LOGPROB
    if is_silence or result.compression_ratio > LOOPING:
        return Reading("", "")
    return Reading(result.text.strip(), result.language)


def _device(asked: str) -> str:
    """Choose the device. FunASR itself would quietly take the CPU for one that is not there."""
    import torch  # noqa: PLC0415 - only where a model is loaded

    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=asked)
    except (RuntimeError, AssertionError, NotImplementedError) as missing:
        raise DeviceMissing(device=asked) from missing
    return asked


def _auto_model() -> type[AutoModel]:
    from funasr import AutoModel  # noqa: PLC0415 - only where a model is loaded
    from funasr.models.fsmn_vad_streaming import model as vad_model  # noqa: PLC0415 - as above

    vad_model.print = _say_nothing  # it prints about its own buffers, to where a transcript may be going
    return AutoModel  # type: ignore[no-any-return]  # FunASR ships no types


def _say_nothing(*_: object, **__: object) -> None:
    """Take the place of a vendor's print."""


def _whisper_within(loaded: AutoModel) -> Whisper | None:
    from whisper.model import Whisper  # noqa: PLC0415 - only where a model is loaded
    from whisper.tokenizer import get_tokenizer  # noqa: PLC0415 - as above

    inner = getattr(loaded.model, "model", None)
    if not isinstance(inner, Whisper):
        return None
    with tamed():  # its vocabulary file is left open the first time
        get_tokenizer(inner.is_multilingual, num_languages=inner.num_languages)
    return inner


def _check_files(name: str, path: Path) -> None:
    """Look for every file that a model folder says it has: FunASR goes on with random weights where one is missing."""
    if path.suffix == ".pt":
        return
    names = ["config.yaml", "model.pt"]
    with contextlib.suppress(FileNotFoundError):
        try:
            parts = json.loads((path / "configuration.json").read_text(encoding="utf-8")).get("file_path_metas", {})
        except (ValueError, AttributeError) as damaged:
            raise ModelBroken(path=str(path), model=name, reason="configuration.json is damaged") from damaged
        names = [*names[:1], *_file_names(parts)] if parts else names
    for file in names:
        if not (path / file).is_file():
            raise ModelBroken(path=str(path), model=name, reason=f"{file} is missing")


def _file_names(parts: object) -> Iterator[str]:
    match parts:
        case str():
            yield parts
        case dict():
            for part in parts.values():
                yield from _file_names(part)
        case list():
            for part in parts:
                yield from _file_names(part)


def _with_last(blocks: Iterable[NDArray[np.int16]]) -> Iterator[tuple[NDArray[np.int16], bool]]:
    """Tell the last block from the others; a very short last one is joined to the one before it."""
    pending: NDArray[np.int16] | None = None
    for block in blocks:
        if pending is None:
            pending = block
        elif len(block) < SHORTEST_SAMPLES:
            pending = np.concatenate([pending, block])
        else:
            yield pending, False
            pending = block
    if pending is not None:
        yield pending, True


def _waveform(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    """Scale to floats, and fill up what is too short for FunASR, which crashes or divides by zero over it."""
    waveform = samples.astype(np.float32) / (1 << 15)
    return np.pad(waveform, (0, max(0, SHORTEST_SAMPLES - len(waveform))))


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
