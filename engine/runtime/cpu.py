"""What this machine can do that matters to speech: arithmetic with 8-bit numbers, and whether a GPU is near."""

from __future__ import annotations

import platform
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Literal

Int8 = Literal["full", "halved", "none"]

CPUINFO = Path("/proc/cpuinfo")
SIGNS_OF_A_GPU = (
    "/dev/nvidiactl",
    "/dev/nvidia0",
    "/dev/nvhost-gpu",
    "/dev/dxg",
    "/dev/kfd",
    "/proc/driver/nvidia/version",
)

# These multiply and add 8-bit numbers in one step, without overflow.
DOT_PRODUCT = frozenset({"avx512_vnni", "avx_vnni", "asimddp", "hw.optional.arm.FEAT_DotProd"})
BF16 = frozenset({"avx512_bf16", "amx_bf16", "bf16", "hw.optional.arm.FEAT_BF16"})
# This adds in 16 bits, which two products of full range do not fit into: the weights may have 7 bits only.
PAIRS = "avx2"


def flags() -> frozenset[str]:
    """Give the processor's abilities by the names that its system has for them; none where they cannot be read."""
    if platform.system() == "Darwin":
        return _apple_flags()
    with suppress(OSError):
        for line in CPUINFO.read_text(encoding="ascii", errors="replace").splitlines():
            name, _, values = line.partition(":")
            if name.strip() in {"flags", "Features"}:
                return frozenset(values.split())
    return frozenset()


def int8(of: frozenset[str]) -> Int8:
    """Tell how a processor with these flags takes 8-bit weights: in full range, in half of it, or not well."""
    if of & DOT_PRODUCT:
        return "full"
    return "halved" if PAIRS in of else "none"


def has_bf16(of: frozenset[str]) -> bool:
    """Tell whether a processor with these flags multiplies numbers in bf16; without, torch imitates it very slowly."""
    return bool(of & BF16)


def shows_a_gpu() -> bool:
    """Tell whether there are signs of a GPU; torch may find that it cannot use it."""
    return any(Path(sign).exists() for sign in SIGNS_OF_A_GPU)


def has_gpu() -> bool:
    """Tell whether torch can use a GPU; torch is loaded to find out only where there are signs of one."""
    if not shows_a_gpu():
        return False
    import torch  # noqa: PLC0415 - only where it is worth its memory

    return torch.cuda.is_available()


def _apple_flags() -> frozenset[str]:
    done = subprocess.run(  # the argument is a constant
        ["/usr/sbin/sysctl", "hw.optional"], capture_output=True, text=True, check=False
    )
    lines = (line.partition(":") for line in done.stdout.splitlines())
    return frozenset(name for name, _, value in lines if value.strip() == "1")
