"""What the measurements were made with: processor, cores, versions."""

from __future__ import annotations

import platform
from contextlib import suppress
from importlib.metadata import version

from engine import cores
from engine.runtime.cpu import CPUINFO, cpu_flags, int8_support

PACKAGES = ("earshot", "funasr", "torch", "onnxruntime", "numpy")


def machine() -> dict[str, object]:
    """Give the facts about this machine that belong beside every measurement."""
    return {
        "cores": cores(),
        "processor": processor(),
        "int8": int8_support(cpu_flags()),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
    }


def processor() -> str:
    """Give the processor's name, as far as the system tells it."""
    with suppress(OSError):
        for line in CPUINFO.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
