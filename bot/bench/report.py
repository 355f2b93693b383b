"""What came out: lines with goals, as a table for people, as Markdown, and as JSON. Pure."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

HEAD = ("figure", "what", "value", "goal", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What a value should be at least, or at most."""

    bound: float
    sense: Literal["at least", "at most"]

    def reached_by(self, value: float) -> bool:
        """Tell whether a value is good enough."""
        return value >= self.bound if self.sense == "at least" else value <= self.bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One value, and its goal if it has one."""

    figure: str
    what: str
    value: float
    unit: str
    goal: Goal | None = None

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """The columns of the table."""
        if self.goal is None:
            return (self.figure, self.what, _number(self.value, self.unit), "", "")
        verdict = "reached" if self.goal.reached_by(self.value) else "missed"
        goal = f"{self.goal.sense} {_number(self.goal.bound, self.unit)}"
        return (self.figure, self.what, _number(self.value, self.unit), goal, verdict)


def at_least(bound: float) -> Goal:
    """Make a goal."""
    return Goal(bound=bound, sense="at least")


def at_most(bound: float) -> Goal:
    """Make a goal."""
    return Goal(bound=bound, sense="at most")


def ratio(slower: Sequence[float], faster: Sequence[float]) -> float:
    """Compare what was measured in turns: the median of the ratios within each turn, which shared the same minute."""
    return statistics.median(one / other for one, other in zip(slower, faster, strict=True))


def percentile(values: Sequence[float], part: float) -> float:
    """Give the value below which `part` of all are: 0.5 is the median."""
    ordered = sorted(values)
    place = part * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def table(rows: Sequence[Sequence[str]], head: Sequence[str]) -> str:
    """Lay out a table for a terminal."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = ("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)) for row in (head, *rows))
    return "\n".join(line.rstrip() for line in lines)


def markdown(rows: Sequence[Sequence[str]], head: Sequence[str]) -> str:
    """Lay out a table in Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def as_json(lines: Sequence[Line], about: Mapping[str, object]) -> str:
    """Put all into one line of JSON."""
    figures = [
        asdict(line) | ({} if line.goal is None else {"reached": line.goal.reached_by(line.value)}) for line in lines
    ]
    return json.dumps({**about, "figures": figures}, ensure_ascii=False)


def _number(value: float, unit: str) -> str:
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2  # noqa: PLR2004 - three figures are enough
    return f"{value:.{digits}f} {unit}".strip()
