"""How long to wait after a failure that may pass, and when to give up."""

from datetime import UTC, datetime

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 600.0
DEADLINE_H = 24
_SECONDS_PER_HOUR = 3600


def pause_s(failures: int) -> float:
    """Return the pause after so many failures, in seconds: it doubles each time."""
    return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures - 1, 32))


def pause_since_s(first_failure: datetime) -> float:
    """Return the pause after one more failure, in seconds: as long as it has been failing."""
    return min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, _age_s(first_failure)))


def is_overdue(since: datetime) -> bool:
    """Tell whether what should have worked since then is to be given up."""
    return _age_s(since) > DEADLINE_H * _SECONDS_PER_HOUR


def _age_s(since: datetime) -> float:
    return (datetime.now(UTC) - since).total_seconds()
