from jobs.backoff import is_overdue, pause_s, pause_since_s

HOUR_S = 3600


def test_pauses_double_from_a_second_to_ten_minutes() -> None:
    assert [pause_s(failures) for failures in (1, 2, 3, 10, 11, 10_000)] == [1, 2, 4, 512, 600, 600]


def test_what_has_been_failing_is_left_alone_for_as_long_again() -> None:
    assert [pause_since_s(failing_s) for failing_s in (0, 30, 2 * HOUR_S)] == [1, 30, 600]


def test_a_day_is_enough() -> None:
    assert not is_overdue(23.9 * HOUR_S)
    assert is_overdue(24.1 * HOUR_S)
