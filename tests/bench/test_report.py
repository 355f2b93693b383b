import json

import pytest
from hypothesis import given, strategies as st

from tests.bench.report import GoalLine, as_json, at_least, at_most, percentile, ratio


def test_a_ratio_is_taken_within_each_turn_so_that_a_slow_minute_is_no_advantage() -> None:
    assert ratio([2.0, 20.0, 2.0], [1.0, 10.0, 1.0]) == 2.0
    assert ratio([4.0, 100.0, 6.0], [1.0, 1.0, 2.0]) == 4.0


def test_what_was_not_measured_in_the_same_turns_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        ratio([1.0, 2.0], [1.0])


def test_percentiles_lie_between_the_values_around_them() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([1.0, 2.0], 0.5) == 1.5
    assert percentile([5.0], 0.95) == 5.0
    assert percentile(list(map(float, range(101))), 0.95) == 95.0


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.floats(0, 1))
def test_a_percentile_is_never_outside_of_what_was_measured(values: list[float], part: float) -> None:
    slack = 1e-6
    assert min(values) - slack <= percentile(values, part) <= max(values) + slack


def test_a_goal_says_whether_it_was_reached_at_its_bound_too() -> None:
    lines = [
        GoalLine(figure="f", what="fast", value=5.0, unit="times", goal=at_least(5)),
        GoalLine(figure="f", what="slow", value=4.99, unit="times", goal=at_least(5)),
        GoalLine(figure="f", what="small", value=600.0, unit="MB", goal=at_most(600)),
        GoalLine(figure="f", what="large", value=601.0, unit="MB", goal=at_most(600)),
        GoalLine(figure="f", what="as it is", value=1.0, unit="s"),
    ]
    assert [line.cells[-1] for line in lines] == ["reached", "missed", "reached", "missed", ""]
    assert [figure.get("reached") for figure in json.loads(as_json(lines, {}))["figures"]] == [
        True, False, True, False, None,
    ]  # fmt: skip


def test_json_is_one_line_and_tells_where_it_was_measured() -> None:
    text = as_json([GoalLine(figure="f", what="w", value=1.0, unit="s")], {"cores": 2})
    assert "\n" not in text
    assert json.loads(text)["cores"] == 2
