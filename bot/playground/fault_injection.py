"""Faults on demand: what may go wrong between a bot and Telegram. Knows only names of methods and chats."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

Drop = Literal["before", "after", "midway"]
BAD_GATEWAY = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<h1>502 Bad Gateway</h1></body></html>"
)
DESCRIPTIONS = {
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
DOWNLOAD = "download"


@dataclass(slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong with requests that fit.

    `code` answers with that status instead of doing what was asked; `drop` breaks the connection before it is done,
    after it, or in the middle of the answer; `delay_s` makes the answer slow; `frozen` never answers.
    """

    method: str | None
    chat_id: int | None = None
    times: int = 1
    code: int | None = None
    description: str | None = None
    retry_after: int | None = None
    drop: Drop | None = None
    delay_s: float = 0.0
    frozen: bool = False

    def fits(self, method: str, chat_id: str | None) -> bool:
        """Tell whether it concerns a request."""
        if self.method is not None and self.method.lower() != method.lower():
            return False
        return self.chat_id is None or str(self.chat_id) == chat_id

    def words(self) -> str:
        """Give the description of the answer."""
        if self.retry_after is not None:
            return f"Too Many Requests: retry after {self.retry_after}"
        return self.description or DESCRIPTIONS.get(self.code or 0, "Internal Server Error")


KINDS: dict[str, Callable[[random.Random], Fault]] = {
    "429": lambda _: Fault(method=None, code=429, retry_after=1),
    "500": lambda _: Fault(method=None, code=500),
    "502": lambda _: Fault(method=None, code=502),
    "before": lambda _: Fault(method=None, drop="before"),
    "after": lambda _: Fault(method=None, drop="after"),
    "slow": lambda dice: Fault(method=None, delay_s=dice.uniform(0.2, 2.0)),
}


@dataclass(slots=True)
class _Chance:
    """Faults that come by themselves, in an order that the seed fixes."""

    share: float
    kinds: tuple[str, ...]
    methods: frozenset[str]
    dice: random.Random

    def draw(self, method: str) -> Fault | None:
        if self.methods and method.lower() not in self.methods:
            return None
        if self.dice.random() >= self.share:
            return None
        return KINDS[self.dice.choice(self.kinds)](self.dice)


@dataclass(slots=True)
class Faults:
    """What will go wrong, in order."""

    waiting: list[Fault] = field(default_factory=list)
    chance: _Chance | None = None
    met: list[str] = field(default_factory=list)

    def add(self, fault: Fault) -> None:
        """Let `fault` happen to the next requests that fit."""
        if fault.code == 429 and fault.retry_after is None:  # noqa: PLR2004 - an HTTP status
            fault = replace(fault, retry_after=1)
        self.waiting.append(fault)

    def at_random(self, share: float, *, seed: int, kinds: tuple[str, ...], methods: tuple[str, ...]) -> None:
        """Let a share of all requests fail; the same seed and requests give the same faults."""
        names = frozenset(method.lower() for method in methods)
        self.chance = _Chance(share, kinds, names, random.Random(seed)) if share else None  # noqa: S311 - no secret

    def take(self, method: str, chat_id: str | None) -> Fault | None:
        """Give what goes wrong with this request, if anything."""
        for fault in self.waiting:
            if fault.fits(method, chat_id):
                fault.times -= 1
                self.waiting = [other for other in self.waiting if other.times > 0]
                return self._note(method, fault)
        drawn = self.chance.draw(method) if self.chance else None
        return self._note(method, drawn) if drawn else None

    def _note(self, method: str, fault: Fault) -> Fault:
        what = str(fault.code) if fault.code else fault.drop or ("frozen" if fault.frozen else f"{fault.delay_s:.1f} s")
        self.met.append(f"{method}: {what}")
        return fault
