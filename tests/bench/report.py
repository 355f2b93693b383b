"""Measured values with goals, as rows of a table and as JSON. Pure."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from bot.bench.report import Line, with_unit

HEAD = ("figure", "what", "value", "goal", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What a value should be at least, or at most."""

    bound: float
    sense: Literal["at least", "at most"]

    def is_reached_by(self, value: float) -> bool:
        """Tell whether a value is good enough."""
        return value >= self.bound if self.sense == "at least" else value <= self.bound


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalLine(Line):
    """One measured value, and its goal if it has one."""

    goal: Goal | None = None

    @property
    def cells(self) -> tuple[str, ...]:
        """The columns of the table."""
        row = (self.figure, self.what, with_unit(self.value, self.unit))
        if self.goal is None:
            return (*row, "", "")
        verdict = "reached" if self.goal.is_reached_by(self.value) else "missed"
        return (*row, f"{self.goal.sense} {with_unit(self.goal.bound, self.unit)}", verdict)


def at_least(bound: float) -> Goal:
    """Give the goal that a value is `bound` or more."""
    return Goal(bound=bound, sense="at least")


def at_most(bound: float) -> Goal:
    """Give the goal that a value is `bound` or less."""
    return Goal(bound=bound, sense="at most")


def ratio(slower: Sequence[float], faster: Sequence[float]) -> float:
    """Give the median of the ratios within each round: within a round both met the same load of the machine."""
    return statistics.median(one / other for one, other in zip(slower, faster, strict=True))


def percentile(values: Sequence[float], part: float) -> float:
    """Give the value below which `part` of all are: 0.5 is the median."""
    ordered = sorted(values)
    place = part * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def as_json(lines: Sequence[GoalLine], about: Mapping[str, object]) -> str:
    """Put all into one line of JSON."""
    figures = [
        asdict(line) | ({} if line.goal is None else {"reached": line.goal.is_reached_by(line.value)}) for line in lines
    ]
    return json.dumps({**about, "figures": figures}, ensure_ascii=False)
