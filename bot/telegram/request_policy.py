"""How a request to Telegram is to be made. Whoever makes it says so by a `with` block around it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Manner:
    """How long a request waits in all, whether it lets more urgent ones go first, and whether it may be made twice."""

    patience_s: float = 60.0
    gives_way: bool = False
    may_come_twice: bool = False


_manner: ContextVar[Manner] = ContextVar("manner", default=Manner())  # noqa: B039 - it is frozen


def manner() -> Manner:
    """Give how a request is to be made here."""
    return _manner.get()


def patience(seconds: float) -> AbstractContextManager[None]:
    """Let a request wait and be repeated for so long; with 0 nothing is repeated and no flood is waited out."""
    return _in(replace(manner(), patience_s=seconds))


def giving_way() -> AbstractContextManager[None]:
    """Make a request only where that takes nothing from more urgent ones, and at once or not at all."""
    return _in(replace(manner(), patience_s=0.0, gives_way=True))


def letting_answers_first() -> AbstractContextManager[None]:
    """Make requests only where they take nothing from more urgent ones, but wait for that as long as others do."""
    return _in(replace(manner(), gives_way=True))


def twice_is_harmless() -> AbstractContextManager[None]:
    """Send a message again also when it may have been sent: better twice than never."""
    return _in(replace(manner(), may_come_twice=True))


@contextmanager
def _in(wanted: Manner) -> Iterator[None]:
    token = _manner.set(wanted)
    try:
        yield
    finally:
        _manner.reset(token)
