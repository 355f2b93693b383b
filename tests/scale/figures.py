"""What was measured, and the goal that it should not exceed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured value and its goal, both in `unit`; without a goal it is only told."""

    name: str
    value: float
    unit: str
    goal: float | None = None

    @property
    def is_good(self) -> bool:
        """Whether the goal was reached."""
        return self.goal is None or self.value <= self.goal

    def line(self) -> str:
        """Return the figure for people, as a row of a Markdown table."""
        goal = "" if self.goal is None else f"{self.goal:g} {self.unit}"
        return f"| {self.name} | {goal} | {self.value:.3g} {self.unit} | {'' if self.is_good else 'missed'} |"
