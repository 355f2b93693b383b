"""Reads from a model folder's configuration which network it holds, without loading it."""

import re
from pathlib import Path

# Names of network classes in FunASR's registry, as config.yaml gives them.
SENSEVOICE_CLASS = "SenseVoiceSmall"
FUN_ASR_NANO_CLASS = "FunASRNano"

_MODEL_CLASS = re.compile(r"^model:\s*['\"]?([\w.-]+)", re.MULTILINE)


def read_model_class(path: Path) -> str:
    """Return the network class that `path`/config.yaml names, "" where it names none."""
    try:
        config = (path / "config.yaml").read_text(encoding="utf-8")
    except OSError:
        return ""
    found = _MODEL_CLASS.search(config)
    return found.group(1) if found else ""


def lacks_punctuation(path: Path) -> bool:
    """Tell whether the model at `path` gives bare words, so that another model has to punctuate them."""
    return "Paraformer" in read_model_class(path)
