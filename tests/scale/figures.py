"""What was measured, and the goal that it should not exceed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured value and its goal, both in `unit`; without a goal it is only told. `is_least`: more is better."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    is_least: bool = False

    @property
    def is_good(self) -> bool:
        """Whether the goal was reached."""
        if self.goal is None:
            return True
        return self.value >= self.goal if self.is_least else self.value <= self.goal

    def line(self) -> str:
        """Return the figure for people, as a row of a Markdown table."""
        goal = "" if self.goal is None else f"{self.goal:g} {self.unit}".rstrip()
        value = f"{self.value:.3g} {self.unit}".rstrip()
        return f"| {self.name} | {goal} | {value} | {'' if self.is_good else 'missed'} |"
