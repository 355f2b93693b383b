import json

import pytest
from click.testing import CliRunner

from tests.scale import redis_time
from tests.scale.__main__ import main
from tests.scale.figures import Figure


def test_it_measures_ends_by_itself_and_says_in_its_last_line_what_was_reached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(redis_time, "REPEATED", 50)
    done = CliRunner().invoke(main, ["--waiting", "300", "--running", "20"])
    figures = json.loads(done.stdout.splitlines()[-1])["figures"]
    assert [figure["goal"] for figure in figures.values()] == [0.2, 0.2, 1.0, 30.0, 30.0, 200.0]
    assert all(figure["value"] > 0 for figure in figures.values())
    reached = all(figure["value"] <= figure["goal"] for figure in figures.values())
    assert done.exit_code == (0 if reached else 1), done.stdout


def test_a_figure_above_its_goal_is_told_as_missed() -> None:
    good, missed = [Figure(name="pick", value=value, unit="ms", goal=0.2) for value in (0.2, 0.21)]
    assert (good.is_good, missed.is_good) == (True, False)
    assert missed.line() == "| pick | 0.2 ms | 0.21 ms | missed |"
