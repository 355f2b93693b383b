"""Folders that nobody may write to, not even root, who often runs the tests."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def nobody_writes(*folders: Path) -> Iterator[None]:
    """Take everybody's right to write, and where root runs the tests, this thread's right to write nevertheless."""
    for folder in folders:
        folder.chmod(0o555)
    try:
        with _without_root_s_rights():
            yield
    finally:
        for folder in folders:
            folder.chmod(0o755)


@contextmanager
def _without_root_s_rights() -> Iterator[None]:
    """Drop CAP_DAC_OVERRIDE (linux/capability.h: 1) from this thread's effective capabilities, with capset(2)."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header, capabilities = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    libc.capget(header, capabilities)
    effective = capabilities[0]
    capabilities[0] = effective & ~(1 << 1)
    libc.capset(header, capabilities)
    try:
        yield
    finally:
        capabilities[0] = effective
        libc.capset(header, capabilities)
