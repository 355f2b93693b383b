"""The one file that touches FunASR: its dictionaries, milliseconds and moods end here.

FunASR looks for updates on the network, prints, sets thread counts, hides that files are missing, and is not
thread-safe: all of that is kept away here. What it does to the rest of the process, `funasr_isolation` undoes.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.errors import ModelBroken
from engine.recognizers.ctc_alignment import align
from engine.recognizers.funasr_isolation import isolated_process_state
from engine.transcript import Word

if TYPE_CHECKING:
    import torch
    from funasr import AutoModel
    from whisper.model import Whisper

SHORTEST_SAMPLES = 3_200
MISSING_WEIGHTS = ("miss key in ckpt", "init_param does not exist")

Weights = TypeVar("Weights")

_TAG = re.compile(r"<\|([^|]*)\|>")


class Heard(NamedTuple):
    """What a network of FunASR's answered: the bare text, the tags that stood in it, and words with their seconds."""

    text: str
    tags: tuple[str, ...] = ()
    words: tuple[Word, ...] = ()


class Module(Protocol):
    """What all networks of FunASR's have in common. Those that wrap Whisper keep it as `model`."""

    model: Whisper

    def inference(self, *, data_in: list[object], key: list[str], **options: object) -> tuple[list[dict[str, object]]]:
        """Answer about one thing."""


class FunasrNetwork:
    """A network from a folder, asked one thing at a time."""

    def __init__(self, loaded: AutoModel) -> None:
        """Take what `load_network` loaded."""
        self._lock = threading.Lock()
        self._settings = loaded.kwargs
        self.module: Module = loaded.model

    def hear(self, samples: NDArray[np.int16], **options: object) -> Heard:
        """Read a piece with options in FunASR's own words; they hold for this piece alone."""
        import torch  # noqa: PLC0415 - only where a model is loaded

        return self._ask(torch.from_numpy(_waveform(samples)), options)

    def punctuate(self, text: str) -> str:
        """Give the text with marks, without the one that means that it knows none."""
        return self._ask(text, {}).text.replace("<unk>", "")

    def _ask(self, piece: object, options: dict[str, object]) -> Heard:
        """Ask the network itself: AutoModel keeps one question's options for the next."""
        import torch  # noqa: PLC0415 - only where a model is loaded

        with self._lock, torch.inference_mode():
            answers, *_ = self.module.inference(data_in=[piece], key=["piece"], **(self._settings | options))
        return _heard(answers[0]) if answers else Heard("")


def load_network(name: str, folder: Path, *, device: str, threads: int) -> FunasrNetwork:
    """Load any folder of FunASR's, from local files only.

    Raises:
        ModelBroken: files are missing or damaged.
    """
    return FunasrNetwork(_load(name, folder, {"device": device, "ncpu": threads}))


def _load(name: str, folder: Path, options: dict[str, object]) -> AutoModel:
    _check_files(name, folder)
    printed = io.StringIO()
    try:
        with isolated_process_state(), contextlib.redirect_stdout(printed), _weights_unchanged():
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
def _weights_unchanged() -> Iterator[None]:
    """Let FunASR take a checkpoint as it is: it copies all of it once more, only to look into it."""
    from funasr.train_utils import load_pretrained_model as loader  # noqa: PLC0415 - only where a model is loaded

    copy = loader.copy
    loader.copy = _Uncopied
    try:
        yield
    finally:
        loader.copy = copy


class _Uncopied:
    """Takes the place of the module `copy`."""

    @staticmethod
    def deepcopy(weights: Weights) -> Weights:
        """Give the same."""
        return weights


def _auto_model() -> type[AutoModel]:
    from funasr import AutoModel  # noqa: PLC0415 - only where a model is loaded
    from funasr.models.fun_asr_nano import model as nano_model  # noqa: PLC0415 - as above

    nano_model.forced_align = _aligned  # its own needs torchaudio, which does not work beside torch for the CPU
    return AutoModel  # type: ignore[no-any-return]  # FunASR ships no types


def _aligned(log_probs: torch.Tensor, targets: torch.Tensor, blank: int) -> list[dict[str, int]]:
    """Take the place of a vendor's search for when each token was said, in frames."""
    times = align(log_probs.float().cpu().numpy(), targets.cpu().numpy(), blank=blank)
    tokens: list[int] = targets.tolist()
    return [
        {"token": token, "start_time": start, "end_time": end}
        for token, (start, end) in zip(tokens, times, strict=False)
    ]


def _heard(answer: dict[str, object]) -> Heard:
    raw = str(answer["text"])
    text = _TAG.sub("", raw).strip()
    return Heard(text, tuple(_TAG.findall(raw)), tuple(_words(answer, text)))


def _words(answer: dict[str, object], text: str) -> Iterator[Word]:
    """Read both of FunASR's ways to tell times: milliseconds beside a spaced text, and seconds with each token."""
    match answer:
        case {"timestamps": list(tokens)}:
            for token in tokens:
                yield Word(start=float(token["start_time"]), end=float(token["end_time"]), text=str(token["token"]))
        case {"timestamp": list(times)} if len(times) == len(text.split()):
            for word, (start_ms, end_ms) in zip(text.split(), times, strict=True):
                yield Word(start=start_ms / 1000, end=end_ms / 1000, text=word)


def _check_files(name: str, path: Path) -> None:
    """Look for every file that a model folder says it has: FunASR goes on with random weights where one is missing."""
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
    """Scale to floats, and fill up what is too short for FunASR, which crashes or divides by zero over it."""
    waveform = samples.astype(np.float32) / (1 << 15)
    return np.pad(waveform, (0, max(0, SHORTEST_SAMPLES - len(waveform))))


def first_line(error: Exception) -> str:
    """Give the beginning of what an error says, for people."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
