from datetime import UTC, datetime, timedelta

import pytest

from jobs.backoff import is_overdue, pause_s, pause_since_s


def before(**ago: float) -> datetime:
    return datetime.now(UTC) - timedelta(**ago)


def test_pauses_double_from_a_second_to_ten_minutes() -> None:
    assert [pause_s(failures) for failures in (1, 2, 3, 10, 11, 10_000)] == [1, 2, 4, 512, 600, 600]


def test_what_has_been_failing_is_left_alone_for_as_long_again() -> None:
    assert pause_since_s(before(seconds=0)) == 1
    assert pause_since_s(before(seconds=30)) == pytest.approx(30, abs=1)
    assert pause_since_s(before(hours=2)) == 600


def test_a_day_is_enough() -> None:
    assert not is_overdue(before(hours=23.9))
    assert is_overdue(before(hours=24.1))
