"""Per-request policy in a context variable: total timeout, priority, whether a message may be sent twice."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class RequestPolicy:
    """How one request to Telegram is made.

    `timeout_s` covers rate-limit waits and retries together. A request of low priority is sent only while half of the
    rate budget is free.
    """

    timeout_s: float = 60.0
    is_low_priority: bool = False
    may_send_twice: bool = False


_policy: ContextVar[RequestPolicy] = ContextVar("request_policy", default=RequestPolicy())  # noqa: B039 - it is frozen


def current_policy() -> RequestPolicy:
    """Return the policy of the requests made in this context."""
    return _policy.get()


def total_timeout(seconds: float) -> AbstractContextManager[None]:
    """Limit waits and retries to so many seconds; with 0 a request is tried once, and never waits for a rate limit."""
    return _use(replace(current_policy(), timeout_s=seconds))


def low_priority_once() -> AbstractContextManager[None]:
    """Leave half of the rate budget to other requests, and give up at once instead of waiting or retrying."""
    return _use(replace(current_policy(), timeout_s=0.0, is_low_priority=True))


def at_least_once() -> AbstractContextManager[None]:
    """Retry sending a message also when it may have arrived: better twice than never."""
    return _use(replace(current_policy(), may_send_twice=True))


@contextmanager
def _use(policy: RequestPolicy) -> Iterator[None]:
    token = _policy.set(policy)
    try:
        yield
    finally:
        _policy.reset(token)
