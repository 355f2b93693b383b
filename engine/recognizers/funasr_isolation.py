"""Undoes what a vendor does to the whole process while it is imported and loaded. Knows nothing of speech."""

from __future__ import annotations

import logging
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

VENDOR = "funasr"


@contextmanager
def isolated_process_state() -> Iterator[None]:
    """Keep logging, warnings and random numbers as they are, whatever happens within."""
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
        _mute_the_vendor(root)


def _mute_the_vendor(root: logging.Logger) -> None:
    """Drop what the vendor logs with the root logger itself, at every call."""
    if _is_ours not in root.filters:
        root.addFilter(_is_ours)


def _is_ours(record: logging.LogRecord) -> bool:
    return VENDOR not in Path(record.pathname).parts
