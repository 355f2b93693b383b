"""Which languages a model knows, told without loading it. Codes are ISO 639, as the models themselves use them."""

import re
from collections.abc import Iterable
from pathlib import Path

SENSEVOICE = ("zh", "yue", "en", "ja", "ko")
PARAFORMER = ("zh", "en")
NANO = ("zh", "en", "ja")
ENGLISH = ("en",)
_WHISPER = (
    "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la "
    "mi ml cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be "
    "tg sd gu am yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su yue"
)
WHISPER = tuple(_WHISPER.split())

NAMED = {
    "sensevoice": SENSEVOICE,
    "paraformer": PARAFORMER,
    "fun-asr-nano": NANO,
    "whisper-turbo": WHISPER,
    "starter": ENGLISH,
    "fake": SENSEVOICE,
}

_MODEL_CLASS = re.compile(r"^model:\s*['\"]?([\w.-]+)", re.MULTILINE)


def languages_of(model: str) -> tuple[str, ...]:
    """Give the languages of a model's name or path; none where nothing is known about it."""
    return NAMED.get(model) or _languages_of_path(Path(model))


def first_unknown(asked: Iterable[str], known: tuple[str, ...]) -> str:
    """Give the first code that is not among the known ones; "" where all are."""
    return next((code for code in asked if code not in known), "")


def lacks_punctuation(path: Path) -> bool:
    """Tell whether the model at `path` gives bare words, so that another model has to punctuate them."""
    return "Paraformer" in model_class(path)


def _languages_of_path(path: Path) -> tuple[str, ...]:
    if path.suffix == ".pt":
        return ENGLISH if path.stem.endswith(".en") else WHISPER
    kind = model_class(path)
    if kind.startswith("SenseVoice"):
        return SENSEVOICE
    if "Paraformer" in kind:
        return PARAFORMER
    if kind == "FunASRNano":
        return NANO
    if kind.startswith("Whisper"):
        return ENGLISH if kind.endswith(".en") else WHISPER
    return ()


def model_class(path: Path) -> str:
    """Give the class that a model folder's configuration names, "" where it names none."""
    try:
        config = (path / "config.yaml").read_text(encoding="utf-8")
    except OSError:
        return ""
    found = _MODEL_CLASS.search(config)
    return found.group(1) if found else ""
