import json

import pytest
from click.testing import CliRunner

from tests.scale import redis_time, throughput
from tests.scale.__main__ import main
from tests.scale.figures import Figure


def test_it_measures_ends_by_itself_and_says_in_its_last_line_what_was_reached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(redis_time, "REPEATED", 50)
    monkeypatch.setattr(throughput, "NOTES_FOR_EACH", 3)
    monkeypatch.setattr(throughput, "SLEEP_S", 0.2)
    done = CliRunner().invoke(main, ["--waiting", "300", "--running", "20", "--most-workers", "2"])
    figures = json.loads(done.stdout.splitlines()[-1])["figures"]
    goals = [figure["goal"] for figure in figures.values()]
    assert goals[:6] == [0.2, 0.2, 1.0, 30.0, 30.0, 200.0]
    assert set(goals[6:]) == {0.9}
    assert all(figure["value"] > 0 for figure in figures.values())
    assert done.exit_code == (1 if "| missed |" in done.stdout else 0), done.stdout


def test_a_throughput_below_its_goal_is_told_as_missed() -> None:
    good, missed = [Figure(name="rate", value=value, unit="", goal=0.9, is_least=True) for value in (0.9, 0.89)]
    assert (good.is_good, missed.is_good) == (True, False)


def test_a_figure_above_its_goal_is_told_as_missed() -> None:
    good, missed = [Figure(name="pick", value=value, unit="ms", goal=0.2) for value in (0.2, 0.21)]
    assert (good.is_good, missed.is_good) == (True, False)
    assert missed.line() == "| pick | 0.2 ms | 0.21 ms | missed |"
