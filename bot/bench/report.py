"""Measured values as rows of a table, for a terminal or in Markdown. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One measured value: the figure that it belongs to, what was measured, and its unit."""

    figure: str
    what: str
    value: float
    unit: str

    @property
    def cells(self) -> tuple[str, ...]:
        """The columns of the table."""
        return (self.figure, self.what, with_unit(self.value, self.unit))


def with_unit(value: float, unit: str) -> str:
    """Write a count as it is, and a measured value with about three significant digits."""
    is_count = isinstance(value, int) or abs(value) >= 100  # noqa: PLR2004 - four digits tell more than is measured
    return f"{value:.0f} {unit}".strip() if is_count else f"{value:#.3g} {unit}".strip()


def table(rows: Sequence[Sequence[str]], head: Sequence[str]) -> str:
    """Lay out a table for a terminal."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = ("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)) for row in (head, *rows))
    return "\n".join(line.rstrip() for line in lines)


def markdown(rows: Sequence[Sequence[str]], head: Sequence[str]) -> str:
    """Lay out a table in Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))
