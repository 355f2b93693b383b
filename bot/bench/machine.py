"""What the measurements were made with: processor, cores, versions."""

from __future__ import annotations

import platform
from importlib.metadata import version

from engine import cores, cpu_flags, cpu_name, int8_support

PACKAGES = ("earshot", "funasr", "torch", "onnxruntime", "numpy")


def machine() -> dict[str, object]:
    """Give the facts about this machine that belong beside every measurement."""
    return {
        "cores": cores(),
        "processor": cpu_name(),
        "int8": int8_support(cpu_flags()),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
    }
