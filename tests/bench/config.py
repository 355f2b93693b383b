"""What the contest measures, with which model, and where it may write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """All that the figures need to know. `exported` is where FunASR's own export of `model` is or will be."""

    model: Path
    exported: Path
    models_dir: Path
    cache: Path
    work: Path
    recording: Path
    precisions: tuple[str, ...]
    device: str
    notes: int
    hour_s: float
    rounds: int
    without: frozenset[str]
    tell: Callable[[str], None]
