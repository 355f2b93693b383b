"""What does not work for a while is logged twice, however often it is tried: when that begins and when it is over."""

import structlog

log = structlog.get_logger()


class Outage:
    """Knows whether one thing works at the moment."""

    def __init__(self, doing: str) -> None:
        """Take it that `doing` works."""
        self._doing = doing
        self._lasts = False

    def goes_on(self, trouble: BaseException, **hints: str) -> None:
        """Log `trouble` if it is the first, with what else helps to understand it."""
        if not self._lasts:
            log.warning("trouble", doing=self._doing, error=str(trouble) or repr(trouble), **hints)
        self._lasts = True

    def is_over(self) -> None:
        """Log that it works again, if it did not."""
        if self._lasts:
            log.info("trouble_over", doing=self._doing)
        self._lasts = False
