"""Restores logging, warnings and random state that importing and loading FunASR changes. Knows nothing of speech."""

from __future__ import annotations

import logging
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

VENDOR_FOLDER = "funasr"


@contextmanager
def isolated_process_state() -> Iterator[None]:
    """Silence logging and warnings within; restore them, and the random state, afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002 - the one that is reseeded
    root.handlers[:] = [logging.NullHandler()]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002 - as above
        _mute_vendor(root)


def _mute_vendor(root: logging.Logger) -> None:
    """Drop what FunASR logs with the root logger itself, at every call."""
    if _is_ours not in root.filters:
        root.addFilter(_is_ours)


def _is_ours(record: logging.LogRecord) -> bool:
    return VENDOR_FOLDER not in Path(record.pathname).parts
