"""Draws from a seed which faults happen when. Knows no process: a plan is plain values."""

import random
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What can happen."""

    KILL_WORKER = "kill-worker"
    KILL_BOT = "kill-bot"
    KILL_REDIS = "kill-redis"
    KILL_ALL = "kill-all"
    FLUSH_REDIS = "flush-redis"
    FREEZE_WORKER = "freeze-worker"
    FREEZE_REDIS = "freeze-redis"
    LOCK_DATABASE = "lock-database"
    DEPLOY = "deploy"
    UNPLUG_TELEGRAM = "unplug-telegram"
    FREEZE_TELEGRAM = "freeze-telegram"
    REDELIVER = "redeliver"
    UNREADABLE = "unreadable"


# How often each comes among its like.
KILLS = {Kind.KILL_WORKER: 10, Kind.KILL_BOT: 3, Kind.KILL_REDIS: 3, Kind.KILL_ALL: 1}
TROUBLES = {
    Kind.FREEZE_WORKER: 3,
    Kind.REDELIVER: 2,
    Kind.DEPLOY: 1,
    Kind.FLUSH_REDIS: 1,
    Kind.FREEZE_REDIS: 1,
    Kind.LOCK_DATABASE: 1,
    Kind.UNPLUG_TELEGRAM: 1,
    Kind.FREEZE_TELEGRAM: 1,
    Kind.UNREADABLE: 1,
}
FORGETFUL = {Kind.FREEZE_WORKER, Kind.KILL_REDIS, Kind.KILL_ALL, Kind.FLUSH_REDIS, Kind.FREEZE_REDIS}
KILLS_FOR_A_TROUBLE = 2
LASTS_S = {
    Kind.FREEZE_WORKER: (3.0, 25.0),
    Kind.FREEZE_REDIS: (1.0, 8.0),
    Kind.LOCK_DATABASE: (2.0, 8.0),
    Kind.UNPLUG_TELEGRAM: (1.0, 6.0),
    Kind.FREEZE_TELEGRAM: (1.0, 6.0),
}
LATEST_S = 1.5


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that happens: `delay_s` after so many notes were sent, for `lasts_s` if it lasts."""

    kind: Kind
    after_notes: int
    delay_s: float = 0.0
    lasts_s: float = 0.0


def plan(notes: int, kills: int, seed: int, mix: Collection[Kind] = frozenset(Kind)) -> tuple[Fault, ...]:
    """Draw exactly `kills` kills and half as many other troubles of the kinds in `mix`, in their order.

    Raises:
        ValueError: kills are asked for, and `mix` has none.
    """
    dice = random.Random(f"plan {seed}")  # noqa: S311 - no secret
    lethal, others = _only(KILLS, mix), _only(TROUBLES, mix)
    if kills and not lethal:
        raise ValueError("this mix has nothing that kills")
    drawn = _deal(lethal, kills, dice) + _deal(others, -(-kills // KILLS_FOR_A_TROUBLE) if others else 0, dice)
    return tuple(sorted((_at_some_point(kind, notes, dice) for kind in drawn), key=_moment))


def _only(weights: dict[Kind, int], mix: Collection[Kind]) -> dict[Kind, int]:
    return {kind: weight for kind, weight in weights.items() if kind in mix}


def _deal(weights: dict[Kind, int], count: int, dice: random.Random) -> list[Kind]:
    """Deal from a deck that has each kind by its weight, so that none stays away for long."""
    cards = _cards(weights, dice)
    return [next(cards) for _ in range(count)]


def _cards(weights: dict[Kind, int], dice: random.Random) -> Iterator[Kind]:
    while True:
        deck = [kind for kind, weight in weights.items() for _ in range(weight)]
        dice.shuffle(deck)
        yield from deck


def _at_some_point(kind: Kind, notes: int, dice: random.Random) -> Fault:
    lasts_s = dice.uniform(*LASTS_S[kind]) if kind in LASTS_S else 0.0
    return Fault(kind, dice.randint(1, notes), dice.uniform(0, LATEST_S), lasts_s)


def _moment(fault: Fault) -> tuple[int, float]:
    return fault.after_notes, fault.delay_s
