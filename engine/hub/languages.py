"""Languages of each model family, known without loading a model. Codes are ISO 639, as the models use them."""

from collections.abc import Iterable
from pathlib import Path

from engine.hub.model_class import FUN_ASR_NANO_CLASS, read_model_class

SENSEVOICE_LANGUAGES = ("zh", "yue", "en", "ja", "ko")
PARAFORMER_LANGUAGES = ("zh", "en")
FUN_ASR_NANO_LANGUAGES = ("zh", "en", "ja")
ENGLISH_ONLY = ("en",)
# openai-whisper 20250625, whisper/tokenizer.py, LANGUAGES: those of large-v3.
_WHISPER = (
    "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la "
    "mi ml cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be "
    "tg sd gu am yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su yue"
)
WHISPER_LANGUAGES = tuple(_WHISPER.split())


def languages_of_path(path: Path) -> tuple[str, ...]:
    """Return the language codes of a model folder or of a Whisper file; empty where they are not known."""
    if path.suffix == ".pt":
        return ENGLISH_ONLY if path.stem.endswith(".en") else WHISPER_LANGUAGES
    model_class = read_model_class(path)
    if model_class.startswith("SenseVoice"):
        return SENSEVOICE_LANGUAGES
    if "Paraformer" in model_class:
        return PARAFORMER_LANGUAGES
    if model_class == FUN_ASR_NANO_CLASS:
        return FUN_ASR_NANO_LANGUAGES
    if model_class.startswith("Whisper"):
        return ENGLISH_ONLY if model_class.endswith(".en") else WHISPER_LANGUAGES
    return ()


def first_unsupported(asked: Iterable[str], supported: tuple[str, ...]) -> str:
    """Return the first asked code that is not supported; "" where all are."""
    return next((code for code in asked if code not in supported), "")
