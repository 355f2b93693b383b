"""Adapter for FunASR: loads its model folders and turns its answers into text, tags and words in seconds.

FunASR looks for updates on the network, prints, sets thread counts, hides that files are missing, and is not
thread-safe: all of that ends here. What it changes in the rest of the process, `funasr_isolation` restores.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import threading
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.errors import ModelBroken
from engine.recognizers.funasr_isolation import isolated_process_state
from engine.transcript import Word

if TYPE_CHECKING:
    import torch
    from funasr import AutoModel
    from whisper.model import Whisper

MIN_SAMPLES = 3_200
MISSING_WEIGHTS = ("miss key in ckpt", "init_param does not exist")

Weights = TypeVar("Weights")

_TAG = re.compile(r"<\|([^|]*)\|>")


class FunasrAnswer(NamedTuple):
    """The answer of a FunASR network: the text without tags, its tags, and words with times in seconds."""

    text: str
    tags: tuple[str, ...] = ()
    words: tuple[Word, ...] = ()


class FunasrModule(Protocol):
    """What all FunASR networks have in common. Those that wrap Whisper keep it as `model`."""

    model: Whisper

    def inference(self, *, data_in: list[object], key: list[str], **options: object) -> tuple[list[dict[str, object]]]:
        """Give the answer for one input."""


class FunasrNetwork:
    """A FunASR network; threads may share it, and it takes one input at a time."""

    def __init__(self, loaded: AutoModel) -> None:
        """Wrap what `load_network` loaded."""
        self._lock = threading.Lock()
        self._settings = loaded.kwargs
        self.module: FunasrModule = loaded.model

    def infer(self, samples: NDArray[np.int16], **options: object) -> FunasrAnswer:
        """Recognize 16 kHz samples with FunASR's own options, which hold for this call alone."""
        import torch  # noqa: PLC0415 - only where a model is loaded

        return self._infer(torch.from_numpy(_waveform(samples)), options)

    def punctuate(self, text: str) -> str:
        """Give the text with punctuation, without the mark that stands for an unknown one."""
        return self._infer(text, {}).text.replace("<unk>", "")

    def _infer(self, data: object, options: dict[str, object]) -> FunasrAnswer:
        """Call the network itself: AutoModel keeps the options of one call for the next."""
        import torch  # noqa: PLC0415 - only where a model is loaded

        with self._lock, torch.inference_mode():
            answers, *_ = self.module.inference(data_in=[data], key=["chunk"], **(self._settings | options))
        return _to_answer(answers[0]) if answers else FunasrAnswer("")


def load_network(name: str, folder: Path, *, device: str, threads: int) -> FunasrNetwork:
    """Load any FunASR model folder, from local files only.

    Raises:
        ModelBroken: files are missing or damaged.
    """
    return FunasrNetwork(_load(name, folder, {"device": device, "ncpu": threads}))


def _load(name: str, folder: Path, options: dict[str, object]) -> AutoModel:
    _check_files(name, folder)
    printed = io.StringIO()
    try:
        with isolated_process_state(), contextlib.redirect_stdout(printed), _without_weights_copy():
            loaded = _auto_model()(
                model=str(folder),
                disable_update=True,
                disable_pbar=True,
                log_level="ERROR",
                ignore_init_mismatch=False,
                **options,
            )
    except Exception as broken:
        raise ModelBroken(path=str(folder), model=name, reason=first_line(broken)) from broken
    if any(complaint in printed.getvalue() for complaint in MISSING_WEIGHTS):
        raise ModelBroken(path=str(folder), model=name, reason="its weights do not fit its config.yaml")
    frontend = loaded.kwargs.get("frontend")
    if hasattr(frontend, "dither"):
        frontend.dither = 0.0  # else the same sound gives another text each time
    return loaded


@contextlib.contextmanager
def _without_weights_copy() -> Iterator[None]:
    """Keep FunASR from copying a whole checkpoint, which it only reads, and so from twice the memory."""
    from funasr.train_utils import load_pretrained_model as loader  # noqa: PLC0415 - only where a model is loaded

    copy = loader.copy
    loader.copy = _NoCopy
    try:
        yield
    finally:
        loader.copy = copy


class _NoCopy:
    """Stands in for the module `copy`."""

    @staticmethod
    def deepcopy(weights: Weights) -> Weights:
        """Give the same object."""
        return weights


def _auto_model() -> type[AutoModel]:
    from funasr import AutoModel  # noqa: PLC0415 - only where a model is loaded
    from funasr.models.fun_asr_nano import model as nano_model  # noqa: PLC0415 - as above

    nano_model.forced_align = _forced_align  # its own needs torchaudio, which does not work beside torch for the CPU
    return AutoModel  # type: ignore[no-any-return]  # FunASR ships no types


def _forced_align(log_probs: torch.Tensor, targets: torch.Tensor, blank: int) -> list[dict[str, int]]:
    """Replace the forced alignment that Fun-ASR-Nano calls: the frames of each token."""
    times = align_tokens(log_probs.float().cpu(), targets.cpu(), blank)  # scores of a GPU, tokens of the processor
    tokens: list[int] = targets.tolist()
    return [
        {"token": token, "start_time": start, "end_time": end}
        for token, (start, end) in zip(tokens, times, strict=False)
    ]


def align_tokens(log_probs: torch.Tensor, tokens: torch.Tensor, blank: int) -> list[tuple[int, int]]:
    """Align tokens with frames by CTC forced alignment, as FunASR does for SenseVoice.

    Args:
        log_probs: The network's output, float32 [frames, vocabulary].
        tokens: The text, int64 [tokens].
        blank: The number of CTC's blank token.

    Returns:
        Each token's first frame and the frame after its last; empty where the text needs more frames than there are.
    """
    from funasr.models.sense_voice.utils.ctc_alignment import ctc_forced_align  # noqa: PLC0415 - it takes torch along

    if len(tokens) == 0:
        return []
    lengths = (tokens.new_tensor([len(rows)]) for rows in (log_probs, tokens))
    labels = ctc_forced_align(log_probs[None], tokens[None].clone(), *lengths, blank=blank)[0].tolist()
    frames, start = [], 0
    for label, run in groupby(labels):
        end = start + len(list(run))
        if label != blank:
            frames.append((start, end))
        start = end
    return frames if len(frames) == len(tokens) else []


def _to_answer(answer: dict[str, object]) -> FunasrAnswer:
    raw = str(answer["text"])
    text = _TAG.sub("", raw).strip()
    return FunasrAnswer(text, tuple(_TAG.findall(raw)), tuple(_words(answer, text)))


def _words(answer: dict[str, object], text: str) -> Iterator[Word]:
    """Read both of FunASR's formats of times: milliseconds for each word of the text, or seconds for each token."""
    match answer:
        case {"timestamps": list(tokens)}:
            for token in tokens:
                yield Word(start=float(token["start_time"]), end=float(token["end_time"]), text=str(token["token"]))
        case {"timestamp": list(times)} if len(times) == len(text.split()):
            for word, (start_ms, end_ms) in zip(text.split(), times, strict=True):
                yield Word(start=start_ms / 1000, end=end_ms / 1000, text=word)


def _check_files(name: str, path: Path) -> None:
    """Check every file that the model folder's configuration names: FunASR goes on with random weights without one."""
    names = ["config.yaml", "model.pt"]
    with contextlib.suppress(FileNotFoundError):
        try:
            parts = json.loads((path / "configuration.json").read_text(encoding="utf-8")).get("file_path_metas", {})
        except (ValueError, AttributeError) as damaged:
            raise ModelBroken(path=str(path), model=name, reason="configuration.json is damaged") from damaged
        names = [*names[:1], *_file_names(parts)] if parts else names
    for file in names:
        if not (path / file).exists():
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


def _waveform(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    """Scale to floats, and pad what is too short: FunASR crashes or divides by zero on it."""
    waveform = samples.astype(np.float32) / (1 << 15)
    return np.pad(waveform, (0, max(0, MIN_SAMPLES - len(waveform))))


def first_line(error: Exception) -> str:
    """Give the first line of an error's message, shortened."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
