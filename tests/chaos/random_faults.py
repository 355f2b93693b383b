"""Draws random faults of Telegram's: errors, broken connections and delays. The seed fixes their order."""

import random
from collections.abc import Callable

from bot.playground.fault_injection import Fault

KINDS: dict[str, Callable[[random.Random], Fault]] = {
    "429": lambda _: Fault(method=None, code=429, retry_after=1),
    "500": lambda _: Fault(method=None, code=500),
    "502": lambda _: Fault(method=None, code=502),
    "before": lambda _: Fault(method=None, drop="before"),
    "after": lambda _: Fault(method=None, drop="after"),
    "slow": lambda rng: Fault(method=None, delay_s=rng.uniform(0.2, 2.0)),
}


def random_faults(share: float, seed: int) -> Callable[[str], Fault | None]:
    """Give a function that draws a fault for a share (0 to 1) of all calls, whatever the method."""
    rng = random.Random(seed)  # noqa: S311 - nothing secret

    def draw(_: str) -> Fault | None:
        return KINDS[rng.choice([*KINDS])](rng) if rng.random() < share else None

    return draw
