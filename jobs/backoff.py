"""How long to wait after a failure that may pass, and when to give up."""

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 600.0
DEADLINE_H = 24
_SECONDS_PER_HOUR = 3600


def pause_s(failures: int) -> float:
    """Return the pause after so many failures, in seconds: it doubles each time."""
    return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures - 1, 32))


def pause_since_s(failing_s: float) -> float:
    """Return the pause after one more failure, in seconds: as long as it has been failing."""
    return min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, failing_s))


def is_overdue(age_s: float) -> bool:
    """Tell whether what should have worked so many seconds ago is to be given up."""
    return age_s > DEADLINE_H * _SECONDS_PER_HOUR
