"""Processor features that matter to inference (int8, bf16), and whether a GPU is there."""

from __future__ import annotations

import platform
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Literal

Int8Support = Literal["full", "halved", "none"]

CPUINFO = Path("/proc/cpuinfo")
GPU_DEVICE_FILES = (
    "/dev/nvidiactl",
    "/dev/nvidia0",
    "/dev/nvhost-gpu",
    "/dev/dxg",
    "/dev/kfd",
    "/proc/driver/nvidia/version",
)

# Names of Linux (x86: Intel's CPUID, ARM: the HWCAP bits) and, with dots, of macOS's sysctl.
# Dot products of 8-bit numbers that are summed in 32 bits, so nothing overflows.
INT8_DOT_PRODUCT = frozenset({"avx512_vnni", "avx_vnni", "asimddp", "hw.optional.arm.FEAT_DotProd"})
BF16 = frozenset({"avx512_bf16", "amx_bf16", "bf16", "hw.optional.arm.FEAT_BF16"})
# AVX2's `vpmaddubsw` sums two products in 16 bits, which fits only weights of 7 bits.
AVX2 = "avx2"


def cpu_name() -> str:
    """Return the processor's name, as far as the system tells it."""
    with suppress(OSError):
        for line in CPUINFO.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def cpu_flags() -> frozenset[str]:
    """Return the names of the processor's features as its system writes them; empty where they cannot be read."""
    if platform.system() == "Darwin":
        return _macos_flags()
    with suppress(OSError):
        for line in CPUINFO.read_text(encoding="ascii", errors="replace").splitlines():
            name, _, values = line.partition(":")
            if name.strip() in {"flags", "Features"}:
                return frozenset(values.split())
    return frozenset()


def int8_support(flags: frozenset[str]) -> Int8Support:
    """Tell how a processor with these flags multiplies int8 weights: "full" range, "halved" range, or not well."""
    if flags & INT8_DOT_PRODUCT:
        return "full"
    return "halved" if AVX2 in flags else "none"


def has_bf16(flags: frozenset[str]) -> bool:
    """Tell whether a processor with these flags multiplies bf16; without, torch emulates it very slowly."""
    return bool(flags & BF16)


def has_gpu_device_file() -> bool:
    """Tell whether the system shows a GPU driver; torch may still be unable to use it."""
    return any(Path(file).exists() for file in GPU_DEVICE_FILES)


def has_gpu() -> bool:
    """Tell whether torch can use a GPU; imports torch only where the system shows a driver."""
    if not has_gpu_device_file():
        return False
    import torch  # noqa: PLC0415 - only where it is worth its memory

    return torch.cuda.is_available()


def _macos_flags() -> frozenset[str]:
    done = subprocess.run(  # the argument is a constant
        ["/usr/sbin/sysctl", "hw.optional"], capture_output=True, text=True, check=False
    )
    lines = (line.partition(":") for line in done.stdout.splitlines())
    return frozenset(name for name, _, value in lines if value.strip() == "1")
